import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { interfaceDocs } from './interface-docs.ts'
import { table } from './table.ts'

const folder = mkdtempSync(join(tmpdir(), 'oncekey-reference-'))
afterAll(() => rmSync(folder, { recursive: true }))

function docsOf(source: string) {
  const file = join(folder, 'options.ts')
  writeFileSync(file, source)
  return interfaceDocs(file, 'Options')
}

test('a member has its type, its docstring in one line, and what @default says', () => {
  const docs = docsOf(`
    /** Of a worker. */
    export interface Options extends Settings<Tx>, Other {
      /**
       * How long it waits,
       * at most. @default 30_000
       */
      readonly waitMs?: number
      readonly name: string
      /** Called with each. @default none @throws never */
      onEach?(one: Item): void
    }`)
  expect(docs).toEqual({
    text: 'Of a worker.',
    parents: ['Settings<Tx>', 'Other'],
    members: [
      {
        name: 'waitMs',
        type: 'number',
        isOptional: true,
        isMethod: false,
        text: 'How long it waits, at most.',
        byDefault: '30_000',
      },
      {
        name: 'name',
        type: 'string',
        isOptional: false,
        isMethod: false,
        text: '',
        byDefault: undefined,
      },
      {
        name: 'onEach',
        type: '(one: Item): void',
        isOptional: true,
        isMethod: true,
        text: 'Called with each.',
        byDefault: 'none',
      },
    ],
  })
})

test('a comment that does not stand above a member is not its docstring', () => {
  const docs = docsOf(`export interface Options { /** Of a. */ a: 1; b: 2 }`)
  expect(docs?.members.map(({ name, text }) => [name, text])).toEqual([
    ['a', 'Of a.'],
    ['b', ''],
  ])
})

test('an interface that is not there has none', () => {
  expect(docsOf('export interface Others { a: 1 }')).toBeUndefined()
})

test('a cell may have a bar and a line break', () => {
  expect(table(['type'], [["'a' | 'b'\nor none"]])).toBe("| type |\n|---|\n| 'a' \\| 'b' or none |")
})
