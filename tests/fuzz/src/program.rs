//! Guests out of bytes, in WebAssembly's text format: all that is drawn is valid, and most of it is nonsense. A grammar of
//! our own, as a guest does something only if it calls the host: these do so in every other line, with arguments that are
//! right or nearly so. What no grammar of ours would have is [`crate::smith`]'s.

use std::fmt::Write as _;

use arbitrary::{Result, Unstructured};

/// How deep expressions and blocks are nested.
const DEPTH: usize = 5;

/// The most statements in a row.
const STATEMENTS: usize = 8;

/// How often a program may begin a loop anew, all loops together: it comes to an end, and not to a budget of time,
/// which no two executions use up alike.
const FUEL: u32 = 2_000;

/// The end of a step.
const WAIT: &str = "(call $next (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x1100))";

/// What a letter in angle brackets may become. The first ones of each hold no other, for where it is deep enough.
/// A `#` is a number.
const GRAMMAR: [(char, usize, &[&str]); 6] = [
    // 32 bits.
    (
        'i',
        4,
        &[
            "(local.get $i)",
            "(i32.const #)",
            "(memory.size)",
            "(i32.const 0x1000)",
            "(i32.add <i> <i>)",
            "(i32.mul <i> <i>)",
            "(i32.rotl <i> <i>)",
            "(i32.popcnt <i>)",
            "(i32.lt_u <i> <i>)",
            "(i32.load <p>)",
            "(i64.eq <l> <l>)",
            "(f64.lt <d> <d>)",
            "(i32.wrap_i64 <l>)",
            "(i32.trunc_sat_f64_s <d>)",
            "(i32.reinterpret_f32 <f>)",
            "(i8x16.bitmask <v>)",
            "(i32x4.extract_lane 1 <v>)",
            "(memory.grow (i32.and <i> (i32.const 3)))",
            "(select <i> <i> <i>)",
            "(call $patched (i32.const 0x210) (i32.and <i> (i32.const 15)))",
            "(if (result i32) <i> (then <i>) (else <i>))",
            "(i32.div_u <i> (i32.or <i> (i32.const 1)))",
            "(call_indirect (param i32) (result i32) <i> (i32.const 1))",
        ],
    ),
    // A place in memory that is free.
    ('p', 1, &["(i32.const 0x1000)", "(i32.or (i32.const 0x1000) (i32.and <i> (i32.const 0xf0)))"]),
    // 64 bits.
    (
        'l',
        2,
        &[
            "(local.get $l)",
            "(i64.const #)",
            "(i64.extend_i32_s <i>)",
            "(i64.add <l> <l>)",
            "(i64.xor <l> <l>)",
            "(i64.shr_u <l> <l>)",
            "(i64.clz <l>)",
            "(i64.load <p>)",
            "(i64.reinterpret_f64 <d>)",
            "(i64.trunc_sat_f32_u <f>)",
        ],
    ),
    // Floating points, NaNs among them.
    (
        'f',
        3,
        &[
            "(local.get $f)",
            "(f32.const nan:0x7654)",
            "(f32.const #)",
            "(f32.div <f> <f>)",
            "(f32.sqrt <f>)",
            "(f32.min <f> <f>)",
            "(f32.demote_f64 <d>)",
            "(f32.copysign <f> <f>)",
            "(f32.reinterpret_i32 <i>)",
            "(f32.load <p>)",
        ],
    ),
    (
        'd',
        3,
        &[
            "(local.get $d)",
            "(f64.const -nan)",
            "(f64.const #)",
            "(f64.sub <d> <d>)",
            "(f64.mul <d> <d>)",
            "(f64.nearest <d>)",
            "(f64.max <d> <d>)",
            "(f64.promote_f32 <f>)",
            "(f64.convert_i64_u <l>)",
            "(f64.reinterpret_i64 <l>)",
        ],
    ),
    // Vectors.
    (
        'v',
        1,
        &[
            "(v128.const i64x2 # #)",
            "(v128.load <p>)",
            "(i32x4.splat <i>)",
            "(f32x4.splat <f>)",
            "(f32x4.div <v> <v>)",
            "(f64x2.pmin <v> <v>)",
            "(i8x16.swizzle <v> <v>)",
            "(i8x16.relaxed_swizzle <v> <v>)",
            "(f32x4.relaxed_madd <v> <v> <v>)",
            "(i32x4.relaxed_trunc_f32x4_s <v>)",
            "(i16x8.relaxed_q15mulr_s <v> <v>)",
        ],
    ),
];

/// Statements, as [`GRAMMAR`].
const STATEMENT: (char, usize, &[&str]) = (
    's',
    6,
    &[
        "",
        "(call $next (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x1100))",
        "(local.set $op (call $timer (i64.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))",
        "(local.set $op (call $activity (i32.const 0x2000)))",
        "(call $child (i32.const 0x2400) (i32.const 0x1200))",
        "(call $detach (local.get $op))",
        "(local.set $i <i>)",
        "(local.set $l <l>)",
        "(local.set $f <f>)",
        "(local.set $d <d>)",
        "(i32.store <p> <i>)",
        "(i64.store <p> <l>)",
        "(f32.store <p> <f>)",
        "(f64.store <p> <d>)",
        "(v128.store <p> <v>)",
        "(if <i> (then <s>) (else <s>))",
        "(loop $again (call $burn) <s> (br_if $again <i>))",
        "(block $out (br_if $out <i>) <s>)",
        "<s> <s>",
        "(memory.fill <p> <i> (i32.and <i> (i32.const 0xff)))",
        "(memory.copy <p> <p> (i32.and <i> (i32.const 0xff)))",
        "(table.set $functions (i32.const 0) (ref.null func))",
        "(call $now <p>)",
        "(call $random-bytes (i32.and <i> (i32.const 0xff)) <p>)",
        "(call $log (i32.const 2) (i32.const 0x210) (i32.and <i> (i32.const 15)) (i32.const 0) (i32.const 0))",
        "(local.set $op (call $local-activity (i32.const 0x2000)))",
        "(local.set $op (call $signal (i32.const 0x3030) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 0x3040) (i32.const 5) (i32.const 0x3010) (i32.const 16) (i32.const 0x3020) (i32.const 4)))",
        "(return)",
        "<x>",
    ],
);

/// What traps more often than not: with much of it no program would get anywhere.
const WILD: (char, usize, &[&str]) = (
    'x',
    1,
    &[
        "unreachable",
        "(i32.store8 <i> <i>)",
        "(call $log <i> <p> <i> <i> <i>)",
        "(local.set $op (call $timer <l> <i> <i> <i> <i>))",
        "(local.set $op (call $activity <i>))",
        "(call $child <i> <p>)",
        "(local.set $op (call $request-cancel <i> <i> <i> <i> <i> <i> <i>))",
        "(call $next <i> <i> <i> (i32.const 0x1100))",
        "(call $next (i32.const 1) (i32.const 0x1200) (i32.const 1) (i32.const 0x1100))",
        "(call $detach <l>)",
        "(call $answer <i>)",
        "(call $finish <i> <i> <i> <i> <i> <i> <i> <i> <i> <i> <l> <i> <i> <i> <i> <i>)",
        "(call $deeper <i>)",
        "(local.set $i (i32.div_s <i> <i>))",
        "(local.set $i (i32.load8_s <i>))",
        "(local.set $i (i32.trunc_f32_u <f>))",
        "(local.set $i (call_indirect (param i32) (result i32) <i> <i>))",
    ],
);

/// What only a program that knows WASI preview 1 can do.
const WASI: (char, usize, &[&str]) = (
    'w',
    3,
    &[
        "(call $sleep (i64.const 1000000))",
        "(call $print (i32.const 1) (i32.const 0x210) (i32.const 16))",
        "(drop (call $random (i32.const 0x1040) (i32.const 16)))",
        "(drop (call $args <i> <i>))",
        "(drop (call $environ <p> <p>))",
        "(drop (call $clock (i32.and <i> (i32.const 3)) <l> <p>))",
        "(drop (call $fd-write <i> <p> <i> <p>))",
        "(drop (call $path-open <i> <i> <p> <i> <i> <l> <l> <i> <p>))",
        "(drop (call $poll <p> <p> <i> <p>))",
        "(call $exit <i>)",
    ],
);

/// A good activity, a good child and a good signal in memory.
pub(crate) const ARGUMENTS: &str = r#"
  (data (i32.const 0x2000) "\00\30\00\00\04\00\00\00\10\30\00\00\10\00\00\00\20\30\00\00\04\00\00\00")
  (data (i32.const 0x2058) "\01\00\00\00\00\00\00\00\3c")
  (data (i32.const 0x2400) "\00\30\00\00\04\00\00\00\10\30\00\00\10\00\00\00\20\30\00\00\04\00\00\00")
  (data (i32.const 0x3000) "ship")
  (data (i32.const 0x3010) "application/json")
  (data (i32.const 0x3020) "null")
  (data (i32.const 0x3030) "peer")
  (data (i32.const 0x3040) "hello")
"#;

/// Functions to call, which every program has besides what is drawn.
const FUNCTIONS: &str = r#"
  (table $functions 4 funcref)
  (elem (i32.const 1) $twice $burn)
  (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func $deeper (param i32) (if (local.get 0) (then (call $deeper (i32.sub (local.get 0) (i32.const 1))))))
"#;

/// A guest's code: `(func $main ...)`, and what it needs. `completion` is where it puts its result's place and length.
pub(crate) fn program(u: &mut Unstructured<'_>, completion: u32, knows_wasi: bool) -> Result<String> {
    let mut body = String::new();
    for _ in 0..u.int_in_range(1..=STATEMENTS)? {
        let letter = if knows_wasi && u.ratio(1, 3)? { WASI.0 } else { STATEMENT.0 };
        expand(letter, DEPTH, u, &mut body)?;
        if u.ratio(1, 3)? {
            body.push_str(WAIT);
        }
    }
    let mut text = format!("{ARGUMENTS}{FUNCTIONS}");
    write!(
        text,
        "(global $fuel (mut i32) (i32.const {FUEL}))
         (func $burn
           (if (i32.eqz (global.get $fuel)) (then unreachable))
           (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1))))
         (func $body (local $i i32) (local $l i64) (local $f f32) (local $d f64) (local $op i64)
           {body})
         (func $main
           (call $body)
           (i32.store (i32.const {at}) (i32.const 0x1000))
           (i32.store (i32.const {len}) (i32.const 0x100)))",
        at = completion + 16,
        len = completion + 20,
    )
    .expect("writing to a string cannot fail");
    Ok(text)
}

/// Writes one of the things that a letter stands for.
fn expand(letter: char, depth: usize, u: &mut Unstructured<'_>, out: &mut String) -> Result<()> {
    let rules = GRAMMAR.iter().chain([&STATEMENT, &WILD, &WASI]);
    let (_, flat, all) =
        rules.into_iter().find(|(of, ..)| *of == letter).expect("the grammar has each letter that it uses");
    let choice = *u.choose(if depth == 0 { &all[..*flat] } else { all })?;
    let mut rest = choice;
    while let Some(at) = rest.find(['<', '#']) {
        out.push_str(&rest[..at]);
        if rest[at..].starts_with('#') {
            number(u, out)?;
            rest = &rest[at + 1..];
        } else {
            let letter = rest[at + 1..].chars().next().expect("a bracket holds a letter");
            expand(letter, depth.saturating_sub(1), u, out)?;
            rest = &rest[at + 3..];
        }
    }
    out.push_str(rest);
    out.push('\n');
    Ok(())
}

/// A number that has a place in each type.
fn number(u: &mut Unstructured<'_>, out: &mut String) -> Result<()> {
    const EXTREMES: [i32; 6] = [0, 1, -1, i32::MAX, i32::MIN, 0x1_0000];
    let number = if u.arbitrary()? { *u.choose(&EXTREMES)? } else { u.int_in_range(-300..=300)? };
    write!(out, "{number}").expect("writing to a string cannot fail");
    Ok(())
}
