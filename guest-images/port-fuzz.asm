; Random registers into the backdoor port. Offset 8 of the image: number of calls; offset 12: seed (not 0). One '.' for every 1000 calls.
; EXIT is left out, GET writes into scratch memory only. EFLAGS must not change.
; With RING3 defined it calls from ring 3 with paging on and IOPL 0; a call that faults (#GP: no port, #PF: flag TOUCH) has the status
; deadffff or deadfffe.
; Ends with: "port-fuzz: done, N calls, checksum H"
%define PARAMETER_1 20000
%define PARAMETER_2 0x2545F491
%include "lib/boot.inc"
%include "lib/port.inc"

SCRATCH         equ 0x00110000
; Not in a page with code: every write there would make the CPU decode it anew.
state           equ 0x20000
command         equ 0x20004
flags           equ 0x20008
checksum        equ 0x2000C

main:
        ENTER_FLAT32 flat

%include "lib/flat32.inc"
%include "lib/console.inc"

flat:
        call    serial_init
%ifdef RING3
        call    enter_ring3
%endif
        PRINT   'port-fuzz: start', 13, 10
        mov     eax, [parameter_2]
        mov     [state], eax
        mov     dword [checksum], 0x811C9DC5
        xor     ebp, ebp
.next:
        cmp     ebp, [parameter_1]
        jae     .done
        ; half of the commands are ones that exist, half of the lengths short, most of the magic right
        call    random
        mov     [command], eax
        call    random
        test    al, 1
        jz      .any_command
        and     dword [command], 0x0007000F
.any_command:
        cmp     word [command], REEL_EXIT
        jne     .no_exit
        mov     word [command], REEL_STATUS
.no_exit:
        call    random
        mov     esi, eax
        call    random
        mov     edi, eax
        test    al, 2
        jz      .any_length
        and     edi, 0x3F
.any_length:
        test    al, 4
        jz      .any_address
        and     esi, 0x001FFFFF
.any_address:
        cmp     word [command], REEL_GET
        jne     .no_get
        and     esi, 0xFFFF
        add     esi, SCRATCH
        and     edi, 0x1FFFF
.no_get:
        call    random
        mov     ebx, eax
        test    al, 8
        jz      .any_value
        and     ebx, 3
.any_value:
        call    random
        and     eax, 0x00000CD5         ; arithmetic flags and DF, no IF or TF
        or      eax, 2
        mov     [flags], eax
        call    random
        mov     edx, REEL_MAGIC
        test    al, 7
        jz      .any_magic
        mov     eax, edx
.any_magic:
        mov     ecx, [command]
        mov     edx, REEL_PORT
        push    dword [flags]
        popfd
        in      eax, dx
        pushfd
        cld
        ; mix every register into the checksum
        call    mix
        mov     eax, ebx
        call    mix
        mov     eax, ecx
        call    mix
        mov     eax, edx
        call    mix
        mov     eax, esi
        call    mix
        mov     eax, edi
        call    mix
        pop     eax
        call    mix
        cmp     eax, [flags]
        je      .flags_kept
        PRINT   'flags changed', 13, 10
.flags_kept:
        inc     ebp
        mov     eax, ebp
        xor     edx, edx
        mov     ecx, 1000
        div     ecx
        test    edx, edx
        jnz     .next
        mov     al, '.'
        call    put_char
        jmp     .next
.done:
        call    put_line
        ; end what the calls may have started
        xor     ebx, ebx
        REEL_CALL REEL_STOP
        PRINT   'port-fuzz: done, '
        mov     eax, ebp
        call    put_number
        PRINT   ' calls, checksum '
        mov     eax, [checksum]
        call    put_hex
        call    put_line
        jmp     power_off

%ifdef RING3
DIRECTORY       equ 0x180000
TABLE           equ 0x181000            ; identity, 0 to 2 MiB
TSS             equ 0x182000
KERNEL_STACK    equ 0x7000
SUPERVISOR      equ 0x140000            ; 256 KiB that ring 3 must not read
READ_ONLY       equ 0x130000            ; 64 KiB that it must not write; half of them are missing

; Returns to its caller in ring 3. Ports below 1000h are the task's, as the map in the TSS says; the backdoor port is not.
enter_ring3:
        mov     al, 13
        mov     edx, on_protection
        call    set_gate
        mov     al, 14
        mov     edx, on_page_fault
        call    set_gate
        mov     edi, DIRECTORY
        xor     eax, eax
        mov     ecx, 1024
        rep     stosd
        mov     dword [DIRECTORY], TABLE | 7
        mov     edi, TABLE
        mov     eax, 7
.page:
        mov     ebx, eax
        and     ebx, 0xFFFFF000
        cmp     ebx, READ_ONLY
        jb      .store
        cmp     ebx, SUPERVISOR + 0x40000
        jae     .store
        and     eax, ~4
        cmp     ebx, SUPERVISOR
        jae     .store
        xor     eax, 6                  ; user, read only
        test    ebx, 0x1000
        jz      .store
        and     eax, ~1
.store:
        stosd
        lea     eax, [ebx+0x1007]
        cmp     eax, 0x200007
        jb      .page
        xor     eax, eax
        mov     ecx, 512
        rep     stosd
        mov     edi, TSS
        mov     ecx, (104+0x200)/4
        rep     stosd
        mov     dword [TSS+104+0x200], -1
        mov     dword [TSS+4], KERNEL_STACK
        mov     dword [TSS+8], KERNEL_DATA
        mov     dword [TSS+0x64], 104 << 16
        mov     dword [gdt_task], ((TSS & 0xFFFF) << 16) | (104+0x200)
        mov     dword [gdt_task+4], ((TSS >> 16) & 0xFF) | 0x8900
        mov     ax, TASK
        ltr     ax
        mov     eax, DIRECTORY
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80010000
        mov     cr0, eax
        jmp     .paged
.paged:
        pop     ecx
        mov     edx, esp
        push    dword USER_DATA
        push    edx
        push    dword 2
        push    dword USER_CODE
        push    ecx
        mov     ax, USER_DATA
        mov     ds, ax
        mov     es, ax
        iretd

; Past the IN, which is one byte long; any other instruction's fault is the end.
on_protection:
        add     esp, 4
        mov     eax, [esp]
        cmp     byte [eax], 0xED
        jne     .other
        inc     dword [esp]
        mov     eax, 0xDEADFFFF
        iretd
.other:
        push    eax
        jmp     exception_stubs + 13*8
on_page_fault:
        add     esp, 4
        mov     eax, [esp]
        cmp     byte [eax], 0xED
        jne     .other
        inc     dword [esp]
        mov     eax, 0xDEADFFFE
        iretd
.other:
        push    eax
        jmp     exception_stubs + 14*8
%endif

; xorshift32 -> EAX
random:
        push    ecx
        mov     eax, [state]
        mov     ecx, eax
        shl     ecx, 13
        xor     eax, ecx
        mov     ecx, eax
        shr     ecx, 17
        xor     eax, ecx
        mov     ecx, eax
        shl     ecx, 5
        xor     eax, ecx
        mov     [state], eax
        pop     ecx
        ret

mix:
        push    eax
        xor     eax, [checksum]
        imul    eax, eax, 0x01000193
        rol     eax, 7
        mov     [checksum], eax
        pop     eax
        ret

%include "lib/end.inc"
