//! Morse code: letters between spaces, words between slashes, and a line for each sentence.

use refrain_sdk::Failure;

/// The type of the failure of what is no Morse code: to listen again does not help.
pub const GARBLED: &str = "Garbled";

const ALPHABET: [(&str, char); 26] = [
    (".-", 'A'),
    ("-...", 'B'),
    ("-.-.", 'C'),
    ("-..", 'D'),
    (".", 'E'),
    ("..-.", 'F'),
    ("--.", 'G'),
    ("....", 'H'),
    ("..", 'I'),
    (".---", 'J'),
    ("-.-", 'K'),
    (".-..", 'L'),
    ("--", 'M'),
    ("-.", 'N'),
    ("---", 'O'),
    (".--.", 'P'),
    ("--.-", 'Q'),
    (".-.", 'R'),
    ("...", 'S'),
    ("-", 'T'),
    ("..-", 'U'),
    ("...-", 'V'),
    (".--", 'W'),
    ("-..-", 'X'),
    ("-.--", 'Y'),
    ("--..", 'Z'),
];

pub fn decode(code: &str) -> Result<String, Failure> {
    let line = |line: &str| -> Result<String, Failure> {
        let words: Vec<String> = line.split('/').map(word).collect::<Result<_, _>>()?;
        Ok(words.join(" "))
    };
    let lines: Vec<String> = code.lines().map(line).collect::<Result<_, _>>()?;
    Ok(lines.join("\n"))
}

fn word(code: &str) -> Result<String, Failure> {
    code.split_whitespace().map(letter).collect()
}

fn letter(code: &str) -> Result<char, Failure> {
    let letter = ALPHABET.iter().find(|(morse, _)| *morse == code).map(|(_, letter)| *letter);
    letter.ok_or_else(|| Failure::typed(GARBLED, format!("`{code}` is no letter")))
}
