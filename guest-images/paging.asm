; 386 to Pentium Pro paging: aliases, demand mapping by #PF, A and D bits, write protection, a 4 MiB page, INVLPG, PGE.
; Ends with: "paging: ok" or "paging: N failed"
%include "lib/boot.inc"

main:
        ENTER_FLAT32 flat

%include "lib/flat32.inc"
%include "lib/console.inc"

DIRECTORY       equ 0x100000
TABLE           equ 0x101000            ; identity, 0 to 4 MiB
ALIASES         equ 0x102000            ; 40000000h to 40400000h
FRAME_1         equ 0x180000
FRAME_2         equ 0x181000
ALIAS           equ 0x40000000
PRESENT         equ 0x001
WRITABLE        equ 0x002
USER            equ 0x004
ACCESSED        equ 0x020
DIRTY           equ 0x040
LARGE           equ 0x080

flat:
        call    serial_init
        mov     al, 14
        mov     edx, on_page_fault
        call    set_gate
        mov     edi, DIRECTORY
        xor     eax, eax
        mov     ecx, 3*1024
        rep     stosd
        mov     edi, TABLE
        mov     eax, PRESENT | WRITABLE
.identity:
        stosd
        add     eax, 0x1000
        cmp     eax, 0x400000
        jb      .identity
        mov     dword [DIRECTORY], TABLE | PRESENT | WRITABLE
        mov     dword [DIRECTORY + (ALIAS >> 22)*4], ALIASES | PRESENT | WRITABLE
        mov     dword [ALIASES], FRAME_1 | PRESENT | WRITABLE
        mov     dword [ALIASES+4], FRAME_2 | PRESENT | WRITABLE
        ; 80000000h: the first 4 MiB in one page
        mov     dword [DIRECTORY + (0x80000000 >> 22)*4], PRESENT | WRITABLE | LARGE
        mov     eax, cr4
        or      eax, 0x90               ; PSE, PGE
        mov     cr4, eax
        mov     eax, DIRECTORY
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        jmp     .paged
.paged:
        ; a page under two addresses
        mov     dword [FRAME_1], 0x11223344
        cmp     dword [ALIAS], 0x11223344
        CHECK   'alias read', e
        test    dword [ALIASES], ACCESSED
        CHECK   'accessed', nz
        test    dword [ALIASES], DIRTY
        CHECK   'clean', z
        mov     dword [ALIAS+4], 0x55667788
        cmp     dword [FRAME_1+4], 0x55667788
        CHECK   'alias write', e
        test    dword [ALIASES], DIRTY
        CHECK   'dirty', nz
        ; an access that crosses two pages whose frames are in the wrong order
        mov     dword [ALIASES], FRAME_2 | PRESENT | WRITABLE
        mov     dword [ALIASES+4], FRAME_1 | PRESENT | WRITABLE
        mov     eax, cr3
        mov     cr3, eax
        mov     dword [ALIAS+0xFFE], 0xAABBCCDD
        cmp     word [FRAME_2+0xFFE], 0xCCDD
        CHECK   'crossing, first half', e
        cmp     word [FRAME_1], 0xAABB
        CHECK   'crossing, second half', e
        ; demand mapping: the handler maps FRAME_1 and counts
        mov     dword [FRAME_1+0x10], 0x1234
        mov     eax, [ALIAS+0x5010]
        cmp     eax, 0x1234
        CHECK   'demand mapping', e
        cmp     dword [faults], 1
        CHECK   'one fault', e
        cmp     dword [fault_address], ALIAS+0x5010
        CHECK   'CR2', e
        cmp     dword [fault_code], 0
        CHECK   'error code of a read', e
        inc     dword [ALIAS+0x6010]    ; read and write of the same operand: one fault, a write's
        cmp     dword [faults], 2
        CHECK   'one fault for INC', e
        cmp     dword [fault_code], 2
        CHECK   'error code of a write', e
        ; REP MOVSD into a missing page stops there and goes on
        mov     esi, FRAME_1
        mov     edi, ALIAS+0x6FF0
        mov     ecx, 16
        rep     movsd
        cmp     dword [faults], 3
        CHECK   'fault within REP', e
        cmp     edi, ALIAS+0x7030
        CHECK   'REP went on', e
        ; write protection of the supervisor's own pages
        mov     dword [ALIASES+8*4], FRAME_2 | PRESENT
        mov     dword [ALIAS+0x8000], 1 ; WP is off
        cmp     dword [faults], 3
        CHECK   'WP off', e
        mov     eax, cr0
        or      eax, 0x10000
        mov     cr0, eax
        mov     dword [ALIAS+0x8004], 2 ; WP is on: the handler allows it
        cmp     dword [faults], 4
        CHECK   'WP on', e
        cmp     dword [fault_code], 3
        CHECK   'error code of protection', e
        cmp     dword [FRAME_2+4], 2
        CHECK   'written after all', e
        ; the large page
        mov     dword [FRAME_1+0x20], 0x77
        cmp     dword [0x80000000+FRAME_1+0x20], 0x77
        CHECK   'large page', e
        mov     dword [0x80000000+FRAME_1+0x20], 0x78
        test    dword [DIRECTORY + (0x80000000 >> 22)*4], DIRTY
        CHECK   'large page dirty', nz
        ; a changed entry counts from INVLPG on
        cmp     word [ALIAS+0xFFE], 0xCCDD
        CHECK   'before INVLPG', e
        mov     word [FRAME_1+0xFFE], 0x4321
        mov     dword [ALIASES], FRAME_1 | PRESENT | WRITABLE
        invlpg  [ALIAS]
        cmp     word [ALIAS+0xFFE], 0x4321
        CHECK   'after INVLPG', e
        ; code in a page that moves
        mov     byte [FRAME_1], 0xB8    ; MOV EAX, 1; RET
        mov     dword [FRAME_1+1], 1
        mov     byte [FRAME_1+5], 0xC3
        mov     byte [FRAME_2], 0xB8    ; MOV EAX, 2; RET
        mov     dword [FRAME_2+1], 2
        mov     byte [FRAME_2+5], 0xC3
        mov     ebx, ALIAS
        call    ebx
        cmp     eax, 1
        CHECK   'code in frame 1', e
        mov     dword [ALIASES], FRAME_2 | PRESENT | WRITABLE
        invlpg  [ALIAS]
        call    ebx
        cmp     eax, 2
        CHECK   'code in frame 2', e
        ; paging off again
        mov     eax, cr0
        and     eax, 0x7FFEFFFF
        mov     cr0, eax
        jmp     .flat
.flat:
        movzx   eax, word [failures]
        test    eax, eax
        jnz     .failed
        PRINT   'paging: ok', 13, 10
        jmp     power_off
.failed:
        PRINT   'paging: '
        call    put_number
        PRINT   ' failed', 13, 10
        jmp     power_off

; Maps what was missing to FRAME_1, and lets writes through.
on_page_fault:
        pushad
        mov     eax, cr2
        mov     [fault_address], eax
        mov     ebx, [esp+32]
        mov     [fault_code], ebx
        inc     dword [faults]
        sub     eax, ALIAS
        shr     eax, 12
        cmp     eax, 1024
        jae     .wild
        test    ebx, PRESENT
        jnz     .protection
        mov     dword [ALIASES+eax*4], FRAME_1 | PRESENT | WRITABLE
        jmp     .done
.protection:
        or      dword [ALIASES+eax*4], WRITABLE
        mov     eax, cr2
        invlpg  [eax]
.done:
        popad
        add     esp, 4
        iretd
.wild:
        popad
        jmp     exception_stubs + 14*8

        align   4, db 0
faults:         dd 0
fault_address:  dd 0
fault_code:     dd 0
failures:       dw 0

%include "lib/end.inc"
