//! How guests start children and write to other executions.

use refrain_engine::call::Command;
use refrain_engine::child::{ChildCommand, ChildOptions};
use refrain_engine::codec;
use refrain_engine::guest::Stop;
use refrain_engine::ids::WorkflowId;
use refrain_engine::journal::{Entry, ExecutionRef, Record};
use refrain_engine::payload::Payload;

use crate::owner::Owner;
use crate::text_guest::guest;

#[tokio::test]
async fn a_child_and_messages_to_another_execution_reach_the_journal_with_their_ops() {
    // At 0x400 the arguments of the child: its type, its input, and options that are all bits zero.
    let code = guest(
        r#"
        (data (i32.const 0x400) "\00\30\00\00\04\00\00\00\10\30\00\00\10\00\00\00\20\30\00\00\04\00\00\00")
        (data (i32.const 0x3000) "ship")
        (data (i32.const 0x3010) "application/json")
        (data (i32.const 0x3020) "null")
        (data (i32.const 0x3030) "peer")
        (data (i32.const 0x3040) "hello")
        (func $main
          (call $child (i32.const 0x400) (i32.const 0x800))
          (call $detach (i64.load (i32.const 0x800)))
          (call $detach (i64.load (i32.const 0x808)))
          (call $detach (call $signal
            (i32.const 0x3030) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0x3040) (i32.const 5)
            (i32.const 0x3010) (i32.const 16) (i32.const 0x3020) (i32.const 4)))
          (call $detach (call $request-cancel
            (i32.const 0x3030) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0x3040) (i32.const 5))))"#,
    );
    let ended = Owner::small().try_out(code).await;
    assert!(matches!(ended.stop, Stop::Finished), "{:?}", ended.stop);
    let Record::Step(step) = codec::decode("record", &ended.records[0]).unwrap() else { panic!("no step") };
    let peer = ExecutionRef { workflow_id: WorkflowId::new("peer").unwrap(), run_id: None };
    let ship = ChildCommand {
        workflow: "ship".to_owned(),
        input: Payload::null(),
        options: ChildOptions::default(),
    };
    let signal = Command::Signal { target: peer.clone(), name: "hello".to_owned(), input: Payload::null() };
    let expected = [
        Command::StartChild(Box::new(ship)),
        Command::Detach { op: 1 },
        Command::Detach { op: 2 },
        signal,
        Command::Detach { op: 3 },
        Command::RequestCancel { target: peer, reason: "hello".to_owned() },
        Command::Detach { op: 4 },
    ];
    assert_eq!(step.entries, expected.map(Entry::Command));
}
