//! The attribute of `refrain-sdk`; use it from there, as `refrain_sdk::workflow`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Expr, FnArg, Ident, ItemFn, Lit, LitStr, Meta, Path, ReturnType, Token};

/// Makes an `async fn` a workflow.
///
/// It takes one input (anything that serde reads and schemars describes) or none, and returns a `Result` of
/// anything that serde writes. The function stays what it is and can be called; beside it stands a type of
/// the same name, which implements `Workflow` and is what `component!` and `testing::Env::run` take. Its doc
/// comment is what users read.
///
/// Options, all of them optional:
///
/// * `name = "order-v2"`: the name by which it is started, if not the function's;
/// * `signals(APPROVED, PAUSED)`: constants of type `Signal`, described for those who may send them;
/// * `queries(STATUS)`: constants of type `Query`, described for those who may ask;
/// * `updates(ADD)`: constants of type `Update`, described for those who may send them;
/// * `on_trap = fail`: a panic fails the run. Without it, the run is parked, and loses nothing.
#[proc_macro_attribute]
pub fn workflow(
    options: proc_macro::TokenStream,
    function: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    let options = syn::parse_macro_input!(options as Options);
    let function = syn::parse_macro_input!(function as ItemFn);
    let expanded = match expand(&options, &function) {
        Ok(workflow) => quote!(#function #workflow),
        // The function stays, so that its uses are not errors too.
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#function #error)
        }
    };
    expanded.into()
}

#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    signals: Vec<Path>,
    queries: Vec<Path>,
    updates: Vec<Path>,
    fails_on_trap: bool,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let option: Ident = input.parse()?;
            match option.to_string().as_str() {
                "name" => {
                    input.parse::<Token![=]>()?;
                    let name: LitStr = input.parse()?;
                    if name.value().is_empty() {
                        return Err(Error::new(name.span(), "a workflow's name is not empty"));
                    }
                    options.name = Some(name);
                }
                "on_trap" => {
                    input.parse::<Token![=]>()?;
                    let choice: Ident = input.parse()?;
                    options.fails_on_trap = match choice.to_string().as_str() {
                        "fail" => true,
                        "park" => false,
                        _ => return Err(Error::new(choice.span(), "expected `park` or `fail`")),
                    };
                }
                "signals" => options.signals.extend(paths(input)?),
                "queries" => options.queries.extend(paths(input)?),
                "updates" => options.updates.extend(paths(input)?),
                other => {
                    let message = format!(
                        "unknown option `{other}`; there are `name`, `signals`, `queries`, `updates` and `on_trap`"
                    );
                    return Err(Error::new(option.span(), message));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

fn paths(input: ParseStream<'_>) -> syn::Result<Punctuated<Path, Token![,]>> {
    let list;
    syn::parenthesized!(list in input);
    Punctuated::parse_terminated(&list)
}

fn expand(options: &Options, function: &ItemFn) -> syn::Result<TokenStream> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        return Err(Error::new_spanned(signature.fn_token, "a workflow is an `async fn`"));
    }
    if !signature.generics.params.is_empty() {
        let message = "a workflow has no generic parameters: its types are part of what it offers";
        return Err(Error::new_spanned(&signature.generics, message));
    }
    let input = match signature.inputs.iter().collect::<Vec<_>>().as_slice() {
        [] => quote!(()),
        [FnArg::Typed(input)] => {
            let ty = &input.ty;
            quote!(#ty)
        }
        [FnArg::Receiver(receiver)] => {
            return Err(Error::new_spanned(receiver, "a workflow is a function, not a method"));
        }
        [_, second, ..] => {
            let message = "a workflow takes one input: put what it needs into a struct";
            return Err(Error::new_spanned(second, message));
        }
    };
    let ReturnType::Type(_, returned) = &signature.output else {
        let message = "a workflow returns a `Result<T, E>`, for example `Result<(), Failure>`";
        return Err(Error::new_spanned(signature, message));
    };
    let (function_name, visibility) = (&signature.ident, &function.vis);
    let name = options.name.clone().unwrap_or_else(|| {
        let name = function_name.to_string();
        LitStr::new(name.trim_start_matches("r#"), function_name.span())
    });
    let arguments = if signature.inputs.is_empty() { quote!() } else { quote!(input) };
    let binding = if signature.inputs.is_empty() { quote!((): ()) } else { quote!(input: Self::Input) };
    let doc = doc_comment(&function.attrs);
    let Options { signals, queries, updates, .. } = options;
    let on_trap = if options.fails_on_trap { quote!(Fail) } else { quote!(Park) };
    Ok(quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #visibility struct #function_name {}

        impl #function_name {
            // A frame of its own, or the compiler inlines the function into the SDK's code, and a panic's
            // backtrace would not say which workflow it was.
            #[inline(never)]
            fn poll<F: ::core::future::Future>(
                function: ::core::pin::Pin<&mut F>,
                cx: &mut ::core::task::Context<'_>,
            ) -> ::core::task::Poll<F::Output> {
                function.poll(cx)
            }
        }

        impl ::refrain_sdk::Workflow for #function_name {
            const NAME: &'static str = #name;
            const DOC: &'static str = #doc;
            const ON_TRAP: ::refrain_sdk::OnTrap = ::refrain_sdk::OnTrap::#on_trap;
            type Input = #input;
            type Returned = #returned;

            fn signals() -> ::std::vec::Vec<::refrain_sdk::__private::MessageType> {
                ::std::vec![#(::refrain_sdk::Signal::describe(&#signals)),*]
            }

            fn queries() -> ::std::vec::Vec<::refrain_sdk::__private::MessageType> {
                ::std::vec![#(::refrain_sdk::Query::describe(&#queries)),*]
            }

            fn updates() -> ::std::vec::Vec<::refrain_sdk::__private::MessageType> {
                ::std::vec![#(::refrain_sdk::Update::describe(&#updates)),*]
            }

            fn call(#binding) -> impl ::core::future::Future<Output = Self::Returned> + 'static {
                let mut function = ::std::boxed::Box::pin(#function_name(#arguments));
                ::core::future::poll_fn(move |cx| Self::poll(function.as_mut(), cx))
            }
        }
    })
}

/// The lines of a doc comment, without the space after `///`.
fn doc_comment(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(line) => Some(line.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<_> = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).to_owned()).collect();
    lines.join("\n").trim().to_owned()
}
