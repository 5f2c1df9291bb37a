"""From Python to an object file: Numba compiles a function of integers, LLVM optimises it whole."""

import inspect
from typing import Any

SYMBOL = "minidl"  # the name of the function in each object file


def build(name: str, text: str) -> bytes:
    """The object file of the function `name` of int64 arguments that the Python `text` defines."""
    import llvmlite.binding as llvm
    from numba import cfunc, types

    defined: dict[str, Any] = {"__name__": f"{__package__}.written"}
    exec(compile(text, f"<{name}>", "exec"), defined)
    function = defined[name]
    count = len(inspect.signature(function).parameters)
    made = cfunc(types.void(*[types.int64] * count), error_model="numpy")(function)
    module = llvm.parse_assembly(made.inspect_llvm())
    module.get_function(made.native_name).name = SYMBOL
    # All other functions are internal, so that LLVM inlines them or leaves them out: no call into
    # Python or Numba may be left.
    for other in module.functions:
        if not other.is_declaration and other.name != SYMBOL:
            other.linkage = "internal"
    _optimise(module)
    return target().emit_object(module)


def target() -> Any:
    """This computer, as LLVM sees it."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        jit=True,
    )


def _optimise(module: Any) -> None:
    """Numba's pass that removes reference counting, then LLVM's own passes."""
    import llvmlite.binding as llvm

    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = tuning.slp_vectorization = True
    machine = target()  # the builder does not keep it alive
    builder = llvm.create_pass_builder(machine, tuning)
    reference_counting = builder.getModulePassManager()
    reference_counting.add_refprune_pass()
    for passes in (reference_counting, builder.getModulePassManager()):
        passes.run(module, builder)
