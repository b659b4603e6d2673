; Random accesses to the devices: PCI configuration space, ports of the controllers, video memory and wherever base address
; registers have put things by then. Offset 8 of the image: number of accesses; offset 12: seed (not 0).
; Whatever comes of it, the host must live. Ends with "device-fuzz: done", unless a controller's DMA has overwritten it.
%define PARAMETER_1 200000
%define PARAMETER_2 0x2545F491
%include "lib/boot.inc"

state           equ 0x20000
checksum        equ 0x20004

main:
        ENTER_FLAT32 flat

%include "lib/flat32.inc"
%include "lib/console.inc"

flat:
        call    serial_init
        PRINT   'device-fuzz: start', 13, 10
        mov     eax, [parameter_2]
        mov     [state], eax
        mov     dword [checksum], 0
        mov     ebp, [parameter_1]
.next:
        call    random
        and     eax, 15
        cmp     eax, 3
        jb      .configuration
        cmp     eax, 12
        jb      .port
        ; memory: a dword somewhere in a window
        call    random
        mov     ecx, 7
        and     ecx, eax
        mov     edi, [windows+8*ecx]
        mov     edx, [windows+8*ecx+4]
        call    random
        and     eax, edx
        add     edi, eax
        call    random
        test    al, 1
        jz      .read
        mov     [edi], eax
        jmp     .done
.read:
        mov     eax, [edi]
        add     [checksum], eax
        jmp     .done
.configuration:
        call    random
        and     eax, 0x3FFC             ; devices 0-7
        or      eax, 0x80000000
        mov     dx, 0xCF8
        out     dx, eax
        call    random
        mov     dx, 0xCFC
        out     dx, eax
        in      eax, dx
        add     [checksum], eax
        jmp     .done
.port:
        call    random
        and     eax, 15
        movzx   edx, word [ports+4*eax]
        movzx   ecx, word [ports+4*eax+2]
        call    random
        and     eax, ecx
        add     edx, eax
        call    random
        mov     ebx, eax
        call    random
        test    bl, 3
        jz      .in
        test    bl, 4
        jz      .byte
        test    bl, 8
        jz      .word
        out     dx, eax
        jmp     .done
.word:
        out     dx, ax
        jmp     .done
.byte:
        out     dx, al
        jmp     .done
.in:
        in      eax, dx
        add     [checksum], eax
.done:
        dec     ebp
        jnz     .next
        ; the power management registers may be anywhere: back to where everybody looks for them
        mov     dx, 0xCF8
        mov     eax, 0x80000B40
        out     dx, eax
        mov     dx, 0xCFC
        mov     eax, 0x601
        out     dx, eax
        mov     dx, 0xCF8
        mov     eax, 0x80000B80
        out     dx, eax
        mov     dx, 0xCFC
        mov     eax, 1
        out     dx, eax
        PRINT   'device-fuzz: done', 13, 10
        jmp     power_off

; xorshift32 -> EAX.
random:
        mov     eax, [state]
        push    ecx
        mov     ecx, eax
        shl     ecx, 13
        xor     eax, ecx
        mov     ecx, eax
        shr     ecx, 17
        xor     eax, ecx
        mov     ecx, eax
        shl     ecx, 5
        xor     eax, ecx
        pop     ecx
        mov     [state], eax
        ret

        align   4
; First port and mask: both ATA channels, floppy controller, DMA, VGA, DISPI, firmware configuration, PIC, PIT, what PCI has.
ports:
        dw      0x1F0, 7, 0x170, 7, 0x3F6, 0, 0x376, 0
        dw      0x3F0, 3, 0x000, 15, 0x080, 7, 0x0C0, 31
        dw      0x3C0, 31, 0x1CE, 2, 0x510, 1, 0xC000, 63
        dw      0xC040, 63, 0xC080, 63, 0x3F7, 0, 0x378, 2
; First address and mask: VGA, shadow RAM, frame buffer, registers behind BARs, nothing.
windows:
        dd      0x000A0000, 0x1FFFC, 0x000A0000, 0x0FFFC
        dd      0x000C0000, 0x1FFFC, 0xE0000000, 0x7FFFFC
        dd      0xE0800000, 0x3FFFC, 0xE0820000, 0x00FFC
        dd      0xE0840000, 0x1FFFC, 0xFEB00000, 0xFFFFC

%include "lib/end.inc"
