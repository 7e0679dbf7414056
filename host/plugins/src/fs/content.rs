//! `fs.hash`, `fs.read` and `fs.write`: the content of one file.

use std::io::{self, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use refrain_plugin::{ActivityError, Context};
use serde::{Deserialize, Serialize};

use super::directories::Directories;
use super::limits::MAX_CONTENT_BYTES;
use super::staged::Staged;
use super::stream::{Hashing, Progress, Sum, Watched, sum};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HashInput {
    directory: String,
    path: String,
}

pub(super) fn hash(
    directories: &Directories,
    ctx: &Context,
    input: &HashInput,
) -> Result<Sum, ActivityError> {
    let place = directories.place(&input.directory, &input.path)?;
    let mut progress = Progress::new(ctx);
    let mut file = Watched::new(&place, place.open_file()?, &mut progress);
    let mut hashing = Hashing::new(io::sink());
    if let Err(error) = io::copy(&mut file, &mut hashing) {
        return Err(file.failure.unwrap_or_else(|| place.error("hash", &error)));
    }
    Ok(hashing.finish().0)
}

/// How bytes are written in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    /// UTF-8, as it is.
    #[default]
    Text,
    /// Any bytes, in standard base64 with padding.
    Base64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadInput {
    directory: String,
    path: String,
    #[serde(default)]
    encoding: Encoding,
}

#[derive(Debug, Serialize)]
pub(super) struct ReadOutput {
    content: String,
    encoding: Encoding,
    #[serde(flatten)]
    sum: Sum,
}

pub(super) fn read(
    directories: &Directories,
    ctx: &Context,
    input: &ReadInput,
) -> Result<ReadOutput, ActivityError> {
    let place = directories.place(&input.directory, &input.path)?;
    let mut progress = Progress::new(ctx);
    let mut file = Watched::new(&place, place.open_file()?, &mut progress);
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits.
    if let Err(error) = (&mut file).take(MAX_CONTENT_BYTES + 1).read_to_end(&mut bytes) {
        return Err(file.failure.unwrap_or_else(|| place.error("read", &error)));
    }
    if bytes.len() as u64 > MAX_CONTENT_BYTES {
        return Err(too_large("path", &input.path, "hash or archive it instead"));
    }
    let sum = sum(&bytes);
    let content = match input.encoding {
        Encoding::Base64 => STANDARD.encode(bytes),
        Encoding::Text => String::from_utf8(bytes).map_err(|_| {
            ActivityError::non_retryable(
                "NotText",
                format!("field `encoding`: {:?} is not UTF-8 text; read it with `\"base64\"`", input.path),
            )
        })?,
    };
    Ok(ReadOutput { content, encoding: input.encoding, sum })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WriteInput {
    directory: String,
    path: String,
    content: String,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    create_parents: bool,
}

pub(super) fn write(
    directories: &Directories,
    ctx: &Context,
    input: &WriteInput,
) -> Result<Sum, ActivityError> {
    let place = directories.writable_place(&input.directory, &input.path)?;
    let decoded;
    let bytes = match input.encoding {
        Encoding::Text => input.content.as_bytes(),
        Encoding::Base64 => {
            decoded = STANDARD.decode(&input.content).map_err(|error| {
                ActivityError::invalid_input(format!(
                    "field `content`: not base64 ({error}); encode it so, with padding, or set `encoding` to \
                     `\"text\"`"
                ))
            })?;
            &decoded
        }
    };
    if bytes.len() as u64 > MAX_CONTENT_BYTES {
        return Err(too_large("content", &input.path, "write several smaller files"));
    }
    ctx.check_cancelled()?;
    let (staged, mut file) = Staged::begin(ctx, &place, input.create_parents)?;
    file.write_all(bytes).map_err(|error| place.error("write", &error))?;
    staged.publish(&file)?;
    Ok(sum(bytes))
}

fn too_large(field: &str, path: &str, remedy: &str) -> ActivityError {
    ActivityError::non_retryable(
        "FileTooLarge",
        format!(
            "field `{field}`: the content of {path:?} is larger than {MAX_CONTENT_BYTES} bytes; {remedy}"
        ),
    )
}
