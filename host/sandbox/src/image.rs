//! What an instance is at a call: its memory, in a hash and in a core dump, which wasmtime takes where the host stops it.

use refrain_engine::guest::Image;
use refrain_engine::ids::Digest;
use sha2::{Digest as _, Sha256};
use wasmtime::{AsContextMut, ExternType, Module, Store, Val, WasmCoreDump};

use crate::state::State;
use crate::trap::Cause;

/// The module from which the code between the parts of a component imports their flags.
const FLAGS_MODULE: &str = "flags";

const COMPOSED: &str =
    "the component is made of several that call each other, of which wasmtime writes no core dump";

/// The image of an instance that the run has stopped, if its engine takes them. `workflow` is what it executes.
pub(crate) fn of(cause: &Cause, store: &mut Store<State>, workflow: &str) -> Option<Image> {
    let Cause::Halted(Some(error)) = cause else { return None };
    let dump = error.downcast_ref::<WasmCoreDump>()?;
    let memory = hash(dump, &mut *store);
    let memory_bytes = dump.memories().iter().map(|memory| memory.data_size(&*store)).sum();
    // It panics at a global that is none of an instance.
    let is_composed = dump.modules().iter().any(imports_flags);
    let core_dump = if is_composed { Err(COMPOSED) } else { Ok(dump.serialize(store, workflow).into()) };
    Some(Image { memory, memory_bytes, core_dump })
}

fn imports_flags(module: &Module) -> bool {
    let mut imports = module.imports();
    imports.any(|import| import.module() == FLAGS_MODULE && matches!(import.ty(), ExternType::Global(_)))
}

/// Of all memories and globals, in the order in which they were made. References have no value outside of the instance.
fn hash(dump: &WasmCoreDump, mut store: impl AsContextMut) -> Digest {
    let mut hash = Sha256::new();
    for memory in dump.memories() {
        let data = memory.data(&store);
        hash.update(data.len().to_le_bytes());
        hash.update(data);
    }
    for global in dump.globals() {
        match global.get(&mut store) {
            Val::I32(value) => hash.update(value.to_le_bytes()),
            Val::I64(value) => hash.update(value.to_le_bytes()),
            Val::F32(bits) => hash.update(bits.to_le_bytes()),
            Val::F64(bits) => hash.update(bits.to_le_bytes()),
            Val::V128(value) => hash.update(value.as_u128().to_le_bytes()),
            Val::FuncRef(_) | Val::ExternRef(_) | Val::AnyRef(_) | Val::ExnRef(_) | Val::ContRef(_) => {}
        }
    }
    Digest(hash.finalize().into())
}
