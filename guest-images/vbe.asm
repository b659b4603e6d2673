; Asks the video BIOS for its VBE modes, sets one of each kind, and looks for what it wrote through the window in the frame buffer
; and the other way round. Lines on COM1: "mode NUMBER width height bits line attributes model" for each mode, one for each failed
; check, and at the end "vbe: ok" or "vbe: N failed".
%include "lib/boot.inc"

main:
        call    serial_init
        call    check_controller
        call    list_modes
        call    check_planar
        call    check_packed
        call    check_state
        call    check_text
        movzx   eax, word [failures]
        test    ax, ax
        jnz     .failed
        PRINT   'vbe: ok', 13, 10
        jmp     power_off
.failed:
        PRINT   'vbe: '
        call    put_number
        PRINT   ' failed', 13, 10
        jmp     power_off

failures:       dw 0

check_controller:
        mov     di, controller
        mov     cx, 256
        mov     ax, 0xA5A5
        rep     stosw
        mov     dword [controller], 'VBE2'
        mov     di, controller
        mov     ax, 0x4F00
        int     0x10
        cmp     ax, 0x004F
        CHECK   'controller', e
        cmp     dword [controller], 'VESA'
        CHECK   'signature', e
        cmp     word [controller+4], 0x0200
        CHECK   'version', ae
        cmp     word [controller+0x12], 0
        CHECK   'memory', ne
        ; a request of VBE 1 gets 256 bytes
        mov     di, state
        mov     cx, 256
        mov     ax, 0xA5A5
        rep     stosw
        mov     di, state
        mov     ax, 0x4F00
        int     0x10
        cmp     dword [state], 'VESA'
        CHECK   'signature of VBE 1', e
        cmp     word [state+256], 0xA5A5
        CHECK   'buffer of VBE 1', e
        mov     ax, 0x4F15
        mov     bx, 0
        int     0x10
        cmp     ax, 0x004F
        CHECK   'no DDC', ne
        ret

list_modes:
        lfs     si, [controller+0x0E]
.mode:
        fs lodsw
        cmp     ax, 0xFFFF
        je      .over
        mov     cx, ax
        call    mode_info
        CHECK   'mode info', e
        PRINT   'mode '
        mov     ax, cx
        call    put_word
        mov     bx, .fields
.field:
        mov     di, [bx]
        test    di, di
        jz      .end
        PRINT   ' '
        mov     ax, [di]
        cmp     di, info+0x17
        jb      .word
        mov     ah, 0
.word:
        call    put_word
        add     bx, 2
        jmp     .field
.end:
        call    put_line
        jmp     .mode
.over:
        ret
.fields:
        dw      info+0x12, info+0x14, info+0x19, info+0x10, info, info+0x1B, info+0x20, info+0x22, info+0x24, 0

; CX mode -> info; ZF: there is one.
mode_info:
        pusha
        mov     di, info
        mov     ax, 0x4F01
        int     0x10
        cmp     ax, 0x004F
        popa
        ret

; AX as four digits.
put_word:
        push    eax
        shl     eax, 16
        push    cx
        mov     cx, 4
.digit:
        rol     eax, 4
        push    eax
        and     al, 0x0F
        cmp     al, 10
        jb      .decimal
        add     al, 'a'-'0'-10
.decimal:
        add     al, '0'
        call    put_char
        pop     eax
        loop    .digit
        pop     cx
        pop     eax
        ret

; BX mode; ZF: it is set.
set_mode:
        mov     ax, 0x4F02
        int     0x10
        cmp     ax, 0x004F
        ret

; 800x600 in 16 colours: the BIOS draws.
check_planar:
        mov     bx, 0x0102
        call    set_mode
        CHECK   'planar mode', e
        mov     ax, 0x4F03
        int     0x10
        cmp     bx, 0x0102
        CHECK   'planar mode is set', e
        mov     ax, 0x0C09
        xor     bx, bx
        mov     cx, 777
        mov     dx, 590
        int     0x10
        mov     ah, 0x0D
        int     0x10
        cmp     al, 9
        CHECK   'planar pixel', e
        mov     ax, 0x0EDB
        mov     bx, 5
        int     0x10
        mov     ah, 0x0D
        xor     bx, bx
        mov     cx, 7
        mov     dx, 15
        int     0x10
        cmp     al, 5
        CHECK   'planar character', e
        ret

; 1024x768 in 32 bits: window and frame buffer are the same memory.
check_packed:
        mov     cx, 0x0144
        call    mode_info
        CHECK   'packed mode info', e
        mov     bx, 0x4144
        call    set_mode
        CHECK   'packed mode', e
        mov     ax, 0x4F03
        int     0x10
        cmp     bx, 0x4144
        CHECK   'packed mode is set', e
        ; line 100, pixel 10: 400 KiB and 40 bytes in
        mov     edi, [info+0x28]
        test    edi, edi
        CHECK   'frame buffer', nz
        call    flat
        mov     dword [gs:edi+100*4096+40], 0x00123456
        mov     dword [gs:edi], 0x00ABCDEF
        mov     ax, 0x4F05
        xor     bx, bx
        mov     dx, 100*4096/65536
        int     0x10
        cmp     ax, 0x004F
        CHECK   'window', e
        mov     ax, 0x4F05
        mov     bx, 0x0100
        xor     dx, dx
        int     0x10
        cmp     dx, 100*4096/65536
        CHECK   'window is set', e
        push    word 0xA000
        pop     fs
        cmp     dword [fs:(100*4096 & 0xFFFF)+40], 0x00123456
        CHECK   'window shows', e
        mov     dword [fs:(100*4096 & 0xFFFF)+44], 0x00654321
        cmp     dword [gs:edi+100*4096+44], 0x00654321
        CHECK   'window is written', e
        ; the far call
        mov     eax, [info+0x0C]
        test    eax, eax
        jz      .no_far
        xor     bx, bx
        xor     dx, dx
        call    far [info+0x0C]
        cmp     dword [fs:0], 0x00ABCDEF
        CHECK   'far window', e
.no_far:
        mov     ax, 0x4F05
        xor     bx, bx
        mov     dx, 0x7FFF
        int     0x10
        cmp     ax, 0x004F
        CHECK   'window beyond memory', ne
        ; two pages below each other
        mov     ax, 0x4F06
        mov     bl, 1
        int     0x10
        cmp     ax, 0x004F
        CHECK   'line', e
        cmp     bx, 4096
        CHECK   'bytes of a line', e
        cmp     cx, 1024
        CHECK   'pixels of a line', e
        cmp     dx, 768
        CHECK   'lines', ae
        mov     ax, 0x4F06
        mov     bl, 0
        mov     cx, 1280
        int     0x10
        cmp     bx, 5120
        CHECK   'longer line', e
        mov     ax, 0x4F07
        mov     bx, 0
        mov     cx, 256
        mov     dx, 99
        int     0x10
        cmp     ax, 0x004F
        CHECK   'start', e
        mov     ax, 0x4F07
        mov     bx, 1
        xor     cx, cx
        xor     dx, dx
        int     0x10
        cmp     cx, 256
        CHECK   'start, pixel', e
        cmp     dx, 99
        CHECK   'start, line', e
        ; the picture is kept, then cleared
        mov     bx, 0x4144 | 0x8000
        call    set_mode
        CHECK   'packed mode again', e
        cmp     dword [gs:edi], 0x00ABCDEF
        CHECK   'kept', e
        mov     bx, 0x4144
        call    set_mode
        cmp     dword [gs:edi], 0
        CHECK   'cleared', e
        ; colours of 8 bits
        mov     bx, 0x0105
        call    set_mode
        CHECK   'mode with a palette', e
        mov     ax, 0x4F08
        mov     bx, 0x0800
        int     0x10
        cmp     ax, 0x004F
        CHECK   'DAC', e
        cmp     bh, 8
        CHECK   'DAC of 8 bits', e
        mov     ax, 0x4F09
        mov     bx, 0
        mov     cx, 2
        mov     dx, 100
        mov     di, .colours
        int     0x10
        cmp     ax, 0x004F
        CHECK   'palette', e
        mov     ax, 0x4F09
        mov     bx, 1
        mov     cx, 1
        mov     dx, 101
        mov     di, info
        int     0x10
        cmp     dword [info], 0x00FE8040
        CHECK   'palette is set', e
        mov     bx, 0x01FF
        call    set_mode
        CHECK   'no such mode', ne
        ret
        align   4
.colours:
        dd      0x00112233, 0x00FE8040

; GS: 4 GiB from 0.
flat:
        pushad
        cli
        in      al, 0x92
        or      al, 2
        and     al, 0xFE
        out     0x92, al
        lgdt    [.pointer]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        mov     bx, 8
        mov     gs, bx
        and     al, 0xFE
        mov     cr0, eax
        xor     ax, ax
        mov     gs, ax
        sti
        popad
        ret
        align   8
.table:
        dq      0, 0x008F93000000FFFF
.pointer:
        dw      15
        dd      .table

; Saves a mode with a palette, goes to text and comes back.
check_state:
        mov     bx, 0x0103
        call    set_mode
        push    word 0xA000
        pop     fs
        mov     dword [fs:0xF000], 0x55667788
        mov     ax, 0x4F04
        mov     cx, 0x000F
        mov     dl, 0
        int     0x10
        cmp     ax, 0x004F
        CHECK   'size of the state', e
        cmp     bx, 4096/64
        CHECK   'state is small', b
        mov     ax, 0x4F04
        mov     cx, 0x000F
        mov     dl, 1
        mov     bx, state
        int     0x10
        cmp     ax, 0x004F
        CHECK   'state', e
        mov     bx, 0x8003
        call    set_mode
        CHECK   'text', e
        mov     ax, 0x4F04
        mov     cx, 0x000F
        mov     dl, 2
        mov     bx, state
        int     0x10
        cmp     ax, 0x004F
        CHECK   'state back', e
        mov     ax, 0x4F03
        int     0x10
        cmp     bx, 0x0103
        CHECK   'mode is back', e
        cmp     dword [fs:0xF000], 0x55667788
        CHECK   'memory is back', e
        mov     ax, 0x4F06
        mov     bl, 1
        int     0x10
        cmp     bx, 800
        CHECK   'line is back', e
        ret

check_text:
        mov     ax, 0x0003
        int     0x10
        mov     ax, 0x4F03
        int     0x10
        cmp     bx, 0x0003
        CHECK   'text mode', e
        mov     ax, 0x4F05
        mov     bx, 0
        mov     dx, 0
        int     0x10
        cmp     ax, 0x004F
        CHECK   'no window in text', ne
        mov     si, .text
.next:
        lodsb
        test    al, al
        jz      .done
        mov     ah, 0x0E
        mov     bx, 0x0007
        int     0x10
        jmp     .next
.done:
        push    word 0xB800
        pop     fs
        cmp     dword [fs:0], 0x07610762
        CHECK   'text shows', e
        ret
.text:  db      'back in text', 0

%include "lib/console.inc"
%include "lib/end.inc"

info            equ 0x1000
controller      equ 0x1100
state           equ 0x2000
