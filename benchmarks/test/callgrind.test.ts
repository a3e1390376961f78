import { expect, test } from 'vitest'
import { selfCostsIn } from '../src/request-costs/callgrind.ts'
import { machinePart } from '../src/request-costs/machine-parts.ts'

test('costs are those of a function itself, by name, without those of what it calls', () => {
  const file = `version: 1
events: Ir
fn=(1) main
16 400
+3 100
cfn=(2) callee
calls=2 5
+1 9000
fn=(2)
5 4500
* 4500
fn=(1)
20 1
`
  expect(Object.fromEntries(selfCostsIn(file))).toEqual({ main: 501, callee: 9000 })
})

test.each([
  ['v8::internal::compiler::GraphReducer::ReduceTop()', 'compiler'],
  ['v8::internal::Scavenger::ScavengePage(v8::internal::MemoryChunk*)', 'garbage collector'],
  ['Builtins_LoadIC', 'compiled JavaScript'],
  ['0x000000000d16d9c0', 'compiled JavaScript'],
  ['sha256_block_data_order_avx2', 'SHA-256'],
  ['llhttp__internal_execute', 'HTTP parser'],
  ['_int_malloc', 'memory of C'],
  ['v8::internal::LoadIC::Load', 'V8'],
  ['uv__io_poll', 'Node and libuv'],
])('%s is counted as %s', (name, part) => {
  expect(machinePart(name)).toBe(part)
})
