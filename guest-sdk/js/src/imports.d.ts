/** The imports of `wit/`, as the builder offers them: an object of functions for each interface. See `host.ts`. */
declare module "refrain:workflow/*" {
  const functions: never;
  export default functions;
}
