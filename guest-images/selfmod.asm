; Code that rewrites itself: the next instruction, a loop's own operand, across a page boundary, generated code, and copies over a routine.
; Ends with: "selfmod: ok, sum H" or "selfmod: N failed"
%include "lib/boot.inc"

main:
        ENTER_FLAT32 flat

%include "lib/flat32.inc"
%include "lib/console.inc"

SCRATCH         equ 0x100000

flat:
        call    serial_init
        call    next_instruction
        call    own_operand
        call    own_loop_length
        call    across_pages
        call    generated
        call    copied
        movzx   eax, word [failures]
        test    eax, eax
        jnz     .failed
        PRINT   'selfmod: ok, sum '
        mov     eax, [sum]
        call    put_hex
        call    put_line
        jmp     power_off
.failed:
        PRINT   'selfmod: '
        call    put_number
        PRINT   ' failed', 13, 10
        jmp     power_off

; A store to the instruction right behind it counts at once (Intel SDM 3A, 12.6: without a jump on these processors, too).
next_instruction:
        xor     ebx, ebx
        mov     ecx, 1000
.again:
        mov     byte [.patched+1], cl
.patched:
        mov     al, 0
        cmp     al, cl
        jne     .stale
        add     ebx, eax
        dec     ecx
        jnz     .again
.stale:
        test    ecx, ecx
        CHECK   'next instruction', z
        add     [sum], ebx
        ; a NOP becomes INC and a NOP again
        mov     ecx, 10
        xor     ebx, ebx
.toggle:
        xor     byte [.nop], 0x90 ^ 0x43
.nop:
        nop                             ; or INC EBX
        dec     ecx
        jnz     .toggle
        cmp     ebx, 5
        CHECK   'toggled opcode', e
        ret

; Every round adds one more than the last.
own_operand:
        xor     eax, eax
        mov     ecx, 20000
.again:
        db      0x05                    ; ADD EAX, imm32
.operand:
        dd      0
        inc     dword [.operand]
        dec     ecx
        jnz     .again
        cmp     eax, 199990000
        CHECK   'own operand', e
        add     [sum], eax
        mov     dword [.operand], 0
        ret

; The target of the branch moves: the first rounds take the long way.
own_loop_length:
        xor     eax, eax
        mov     ecx, 100
.again:
        inc     eax
.branch:
        jmp     short .long
        inc     eax
.long:
        cmp     ecx, 51
        jne     .keep
        mov     byte [.branch+1], 0     ; from now on to the INC
.keep:
        dec     ecx
        jnz     .again
        mov     byte [.branch+1], .long-.branch-2
        cmp     eax, 150
        CHECK   'own branch', e
        ret

; An instruction whose operand lies in the next page, which is patched.
across_pages:
        mov     edi, SCRATCH+0xFFE
        mov     al, 0xB8                ; MOV EAX, imm32
        mov     [edi], al
        mov     byte [edi+5], 0xC3
        xor     ebx, ebx
        mov     ecx, 500
.again:
        mov     [edi+1], ecx
        push    edi
        call    edi
        pop     edi
        cmp     eax, ecx
        jne     .stale
        add     ebx, eax
        dec     ecx
        jnz     .again
.stale:
        test    ecx, ecx
        CHECK   'across pages', z
        add     [sum], ebx
        ret

; A routine made anew every time: ADD EBX, imm8 as often as the round says.
generated:
        xor     ebx, ebx
        xor     edx, edx
        mov     ebp, 60
.again:
        mov     edi, SCRATCH+0x2000
        mov     ecx, ebp
.emit:
        mov     ax, 0xC383
        stosw
        mov     al, cl
        stosb
        add     edx, ecx
        loop    .emit
        mov     al, 0xC3
        stosb
        mov     esi, SCRATCH+0x2000
        call    esi
        dec     ebp
        jnz     .again
        cmp     ebx, edx
        CHECK   'generated code', e
        add     [sum], ebx
        ret

; REP MOVSB puts one routine over another.
copied:
        mov     ebp, 200
        xor     ebx, ebx
.again:
        mov     esi, .add_one
        test    ebp, 1
        jz      .copy
        mov     esi, .add_three
.copy:
        mov     edi, SCRATCH+0x3000
        mov     ecx, .end-.add_three
        rep     movsb
        mov     eax, SCRATCH+0x3000
        call    eax
        dec     ebp
        jnz     .again
        cmp     ebx, 400
        CHECK   'copied code', e
        ret
.add_one:
        add     ebx, 1
        ret
.add_three:
        add     ebx, 3
        ret
.end:

        align   4, db 0
sum:            dd 0
failures:       dw 0

%include "lib/end.inc"
