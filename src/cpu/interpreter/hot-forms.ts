import type { Form } from '../decode/form.js';
import { formOperands } from './operand.js';

/**
 * Instructions that make up nearly all of what compiled 32-bit code executes (counted over a Linux boot and the integer
 * kernels). Their flat-memory forms live in the main loop; everything else is a call through the table.
 */
const ALL_WIDTHS = new Set(['MOV', 'CMP', 'TEST', 'MOVZX', 'MOVSX']);
const BYTE_AND_DWORD = new Set(['ADD', 'OR', 'AND', 'SUB', 'XOR', 'SHL', 'SHR', 'SAR', 'SETcc']);
const DWORD = new Set([
  'ADC',
  'SBB',
  'INC',
  'DEC',
  'NEG',
  'NOT',
  'LEA',
  'PUSH',
  'POP',
  'CALL',
  'RET',
  'JMP',
  'Jcc',
  'CMOVcc',
  'ROL',
  'ROR',
  'IMUL',
  'MUL',
  'LEAVE',
  'CWD/CDQ',
  'NOP',
  'BT',
  'BSF',
  'BSR',
  'SHLD',
  'SHRD',
  'XCHG',
]);

/** Width of the first operand of integer data, bits. */
function dataWidth(form: Form): number {
  return formOperands(form)[0]?.width ?? form.operandSize;
}

export function isHotForm(form: Form): boolean {
  const { mnemonic, operands, pattern } = form.encoding.instruction;
  if (/\b(ES|CS|SS|DS|FS|GS|Sw|Cd|Dd|Ap|Mp)\b/.test(operands) || pattern.startsWith('82')) return false;
  if (ALL_WIDTHS.has(mnemonic)) return true;
  const width = dataWidth(form);
  if (BYTE_AND_DWORD.has(mnemonic)) return width !== 16;
  return DWORD.has(mnemonic) && form.operandSize === 32 && width === 32;
}
