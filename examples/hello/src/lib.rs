//! The smallest workflow.

use refrain_sdk::{Failure, bail, info, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
struct Hello {
    /// Whom to greet.
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct Greeting {
    text: String,
}

/// Greets someone.
#[workflow]
async fn hello(input: Hello) -> Result<Greeting, Failure> {
    if input.name.trim().is_empty() {
        bail!("`name` is empty: say whom to greet");
    }
    let text = format!("Hello, {}!", input.name);
    info!("{text}");
    Ok(Greeting { text })
}

refrain_sdk::component!(hello);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use refrain_sdk::testing::Env;

    use super::hello;

    #[test]
    fn it_greets_by_name_and_refuses_an_empty_one() {
        let greet = |name| Env::new().run::<hello>(&BTreeMap::from([("name", name)]));
        let greeting = greet("Ada").result::<BTreeMap<String, String>>().unwrap();
        assert_eq!(greeting["text"], "Hello, Ada!");
        assert!(greet(" ").result::<()>().unwrap_err().to_string().contains("say whom to greet"));
    }
}
