/** The language suite in TypeScript: see the README beside the folders of the languages. */
export * from "./activities";
export * from "./context";
export * from "./failures";
export * from "./lives";
export * from "./messages";
