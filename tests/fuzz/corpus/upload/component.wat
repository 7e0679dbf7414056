(component
  (core module $m
    (func (export "f")))
  (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f")))
  (instance $definition (export "describe" (func $f)) (export "run" (func $f)))
  (export "refrain:workflow/definition@0.1.0" (instance $definition)))
