(component
  (import "wasi:sockets/tcp@0.2.0" (instance (export "t" (type (sub resource)))))
  (import "refrain:workflow/nothing@0.1.0" (instance)))
