; guestreel's boot ROM: power-on and the BIOS services of a PC, 64 KiB at F0000h and at the top of 4 GiB.
;
; Interfaces: IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference (1991); E820h, E801h: ACPI specification 6.4, section 15.
; The disk services read and write the boot disk (disk-port.inc), the ones of the screen know the VGA's modes.
; PCI BIOS: PCI BIOS Specification 2.1; booting from CDs: El Torito 1.0; expansion ROMs: BIOS Boot Specification 1.01; graphics: VBE 2.0;
; power: APM 1.2, real mode.
; NOT implemented: fonts of programs, keyboard LEDs and the Pause key; see vbe.inc, option-roms.inc and others for what they leave out.

        bits    16
        cpu     686
        org     0

%include "boot-rom/defs.inc"
%include "boot-rom/post.inc"
%include "boot-rom/boot.inc"
%include "boot-rom/panic.inc"
%include "boot-rom/video.inc"
%include "boot-rom/graphics.inc"
%include "boot-rom/graphics-modes.inc"
%include "boot-rom/vbe.inc"
%include "boot-rom/video-state.inc"
%include "boot-rom/keyboard.inc"
%include "boot-rom/disk.inc"
%include "boot-rom/disk-port.inc"
%include "boot-rom/cd.inc"
%include "boot-rom/serial.inc"
%include "boot-rom/system.inc"
%include "boot-rom/mouse.inc"
%include "boot-rom/apm.inc"
%include "boot-rom/clock.inc"
%include "boot-rom/pci.inc"
%include "boot-rom/pci-setup.inc"
%include "boot-rom/option-roms.inc"

font_8x16:
        incbin  "fonts/cp437-8x16.bin"
font_8x14:
        incbin  "fonts/cp437-8x14.bin"
font_8x8:
        incbin  "fonts/cp437-8x8.bin"

; ---- the addresses of the PC's own ROM: programs jump to some of them ---------------------------------------------

        AT      0xE05B
        jmp     post
        AT      0xE3FE
        jmp     int13
        AT      0xE6F2
        jmp     int19
configuration_table:                    ; INT 15h C0h
        dw      8
        db      0xFC, 0x00, 0x00        ; AT, submodel, revision
        db      0x74                    ; second 8259, clock, INT 15h 4Fh, EBDA
        db      0x40, 0, 0, 0           ; INT 16h 09h
        AT      0xE739
        jmp     int14
        AT      0xE82E
        jmp     int16
        AT      0xE987
        jmp     int09
        AT      0xEC59
        jmp     int13
        AT      0xEF57
        jmp     irq_0E
        AT      0xEFC7
diskette_parameters:                    ; INT 1Eh
        db      0xAF, 0x02, 0x25, 0x02, 18, 0x1B, 0xFF, 0x6C, 0xF6, 0x0F, 0x08
        AT      0xEFD2
        jmp     int17
        AT      0xF065
        jmp     int10
        AT      0xF0A4
video_parameters:                       ; INT 1Dh: 6845 registers for 40 and 80 columns, graphics, monochrome
        db      0x38, 0x28, 0x2D, 0x0A, 0x1F, 0x06, 0x19, 0x1C, 0x02, 0x07, 0x06, 0x07, 0, 0, 0, 0
        db      0x71, 0x50, 0x5A, 0x0A, 0x1F, 0x06, 0x19, 0x1C, 0x02, 0x07, 0x06, 0x07, 0, 0, 0, 0
        db      0x38, 0x28, 0x2D, 0x0A, 0x7F, 0x06, 0x64, 0x70, 0x02, 0x01, 0x06, 0x07, 0, 0, 0, 0
        db      0x61, 0x50, 0x52, 0x0F, 0x19, 0x06, 0x19, 0x19, 0x02, 0x0D, 0x0B, 0x0C, 0, 0, 0, 0
        dw      0x0800, 0x1000, 0x4000, 0x4000
        db      40, 40, 80, 80, 40, 40, 80, 80
        db      0x2C, 0x28, 0x2D, 0x29, 0x2A, 0x2E, 0x1E, 0x29
        AT      0xF841
        jmp     int12
        AT      0xF84D
        jmp     int11
        AT      0xF859
        jmp     int15
        AT      0xFA6E                  ; 8x8 font of characters 00h-7Fh
        incbin  "fonts/cp437-8x8.bin", 0, 1024
        AT      0xFE6E
        jmp     int1a
        AT      0xFEA5
        jmp     int08
        AT      0xFEF3
vector_table:                           ; 00h-1Fh
        dw      exception_00, dummy_iret, dummy_iret, dummy_iret
        dw      dummy_iret, int05, exception_06, exception_07
        dw      int08, int09, irq_0A, irq_0B
        dw      irq_0C, irq_0D, irq_0E, irq_0F
        dw      int10, int11, int12, int13
        dw      int14, int15, int16, int17
        dw      int18, int19, int1a, dummy_iret
        dw      dummy_iret, 0, 0, 0
        AT      0xFF53
        iret
int05:                                  ; FF54h: print screen; there is no printer
        push    ax
        push    ds
        mov     ax, 0x0050
        mov     ds, ax
        mov     byte [0], 0xFF
        pop     ds
        pop     ax
        iret
        AT      0xFFE0
        times 16 db 0                   ; where the machine puts the MP floating pointer
        AT      0xFFF0
        jmp     ROM_SEG:0xE05B
        db      '11/23/26'
        AT      0xFFFE
        db      0xFC, 0x00
