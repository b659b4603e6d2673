; The smallest image: one line on COM1, in 16-bit real mode.
; Ends with: "hello from guestreel"
%include "lib/boot.inc"

main:
        call    serial_init
        PRINT   'hello from guestreel', 13, 10
        jmp     power_off

%include "lib/console.inc"
%include "lib/end.inc"
