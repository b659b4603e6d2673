; Tells on COM1 what the firmware has made of PCI and of what hangs on it: one line for each function with the registers from command
; to BARs, ROM and interrupt, then the shadow registers, the ports of power management, the interrupt levels and the display. Resets
; in each of the ways that a PC has, and tells again: port CF9h, the keyboard controller, port 92h, and at last with a way back behind
; the reset (CMOS 0Fh, 40:67h) as programs for the 80286 have it. Ends with "pci: over".
%include "lib/boot.inc"

BOOTS           equ 0x500               ; what RAM keeps
MARK            equ 0x4B4F4F42

main:
        call    serial_init
        cmp     dword [BOOTS], MARK
        je      .again
        mov     dword [BOOTS], MARK
        mov     dword [BOOTS+4], 0
.again:
        inc     dword [BOOTS+4]
        PRINT   'boot '
        mov     eax, [BOOTS+4]
        call    put_number
        call    put_line
        call    tell
        call    derange
        cli
        mov     eax, [BOOTS+4]
        cmp     al, 4
        je      .back
        cmp     al, 2
        jb      .chipset
        je      .keyboard
        in      al, 0x92
        or      al, 1
        out     0x92, al
        jmp     .wait
.chipset:
        mov     dx, 0xCF9
        mov     al, 0x02
        out     dx, al
        mov     al, 0x06
        out     dx, al
        jmp     .wait
.keyboard:
        mov     al, 0xFE
        out     0x64, al
.wait:
        hlt
        jmp     .wait
.back:
        mov     al, 0x0F
        out     0x70, al
        mov     al, 0x0A
        out     0x71, al
        mov     word [0x467], .resumed
        mov     [0x469], cs
        jmp     .keyboard
.resumed:
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 0x7C00
        cld
        call    serial_init
        PRINT   'boot 5', 13, 10
        call    tell
        PRINT   'pci: over', 13, 10
        jmp     power_off

; BX function, DI register -> EAX.
read:
        push    dx
        movzx   eax, bx
        shl     eax, 8
        or      eax, 0x80000000
        or      ax, di
        mov     dx, 0xCF8
        out     dx, eax
        mov     dx, 0xCFC
        in      eax, dx
        pop     dx
        ret
write:
        push    dx
        push    eax
        call    read
        pop     eax
        mov     dx, 0xCFC
        out     dx, eax
        pop     dx
        ret

tell:
        xor     bx, bx
.function:
        xor     di, di
        call    read
        cmp     ax, 0xFFFF
        je      .next
        call    put_hex
        mov     si, .registers
.register:
        PRINT   ' '
        push    si
        movzx   di, byte [si]
        call    read
        pop     si
        call    put_hex
        inc     si
        cmp     byte [si], 0
        jne     .register
        call    put_line
.next:
        inc     bx
        cmp     bx, 0x100
        jb      .function
        PRINT   'shadow '
        xor     bx, bx
        mov     di, 0x58
        call    read
        call    put_hex
        mov     di, 0x5C
        call    read
        call    put_hex
        PRINT   ' routes '
        mov     bx, 8
        mov     di, 0x60
        call    read
        call    put_hex
        PRINT   ' power '
        mov     bx, 8+3
        mov     di, 0x40
        call    read
        and     al, 0xC0
        call    put_hex
        mov     dx, ax
        add     dx, 4
        in      ax, dx
        movzx   eax, ax
        PRINT   ' '
        call    put_hex
        PRINT   ' levels '
        mov     dx, 0x4D1
        in      al, dx
        mov     ah, al
        dec     dx
        in      al, dx
        movzx   eax, ax
        call    put_hex
        ; does the frame buffer answer?
        mov     ax, 0x4F01
        mov     cx, 0x101
        mov     di, 0x1000
        int     0x10
        PRINT   ' display '
        mov     eax, [0x1000+0x28]
        call    put_hex
        call    put_line
        ret
.registers:     db 0x04, 0x10, 0x14, 0x18, 0x20, 0x30, 0x3C, 0

; Moves and switches off what it can.
derange:
        mov     bx, 8*2
.function:
        mov     di, 0x04
        xor     eax, eax
        call    write
        mov     di, 0x10
        mov     eax, 0x55555550
        call    write
        mov     di, 0x3C
        mov     al, 0x05
        call    write
        inc     bx
        cmp     bx, 0x100
        jb      .function
        mov     bx, 8
        mov     di, 0x60
        mov     eax, 0x80808080
        call    write
        mov     bx, 8+3
        mov     di, 0x40
        mov     eax, 0xB001
        call    write
        mov     bx, 0
        mov     di, 0x58
        call    read
        and     eax, 0x0000FFFF
        or      eax, 0x33330000
        call    write
        mov     dx, 0x4D1
        xor     al, al
        out     dx, al
        ret

%include "lib/console.inc"
%include "lib/end.inc"
