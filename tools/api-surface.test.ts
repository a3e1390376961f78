import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findApiReportFaults } from './api-report.ts'
import { apiSurface } from './api-surface.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'oncekey-api-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const surface = (files: Readonly<Record<string, string>>) => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return apiSurface(join(folder, 'index.ts')).map(({ text, isExported }) => [isExported, text])
}

test('what an entry exports is followed through files, and what it refers to is reached', () => {
  const found = surface({
    'index.ts': "export { open as openStore, type Options } from './store.ts'\n",
    'store.ts': `import type { Bytes } from './bytes.ts'
      /** A comment. */
      export interface Options { readonly most: Bytes }
      export function open(options: Options): void { hidden(options) }
      function hidden(_: Options): void {}`,
    'bytes.ts': 'export type Bytes = number\nexport type Unused = string\n',
  })
  expect(found).toEqual([
    [true, 'export interface Options { readonly most: Bytes; }'],
    [true, 'export declare function open(options: Options): void;'],
    [false, 'export type Bytes = number;'],
  ])
})

test('overloads are one declaration, and a default export is one of the entry', () => {
  const found = surface({
    'index.ts': `export function add(a: number): number
      export function add(a: string): string
      export function add(a: unknown): unknown { return a }
      const plugin: { readonly name: string } = { name: 'x' }
      export default plugin`,
  })
  expect(found[0]?.[1]).toBe(
    'export declare function add(a: number): number;\nexport declare function add(a: string): string;',
  )
  expect(found).toHaveLength(2)
})

test('the reports of the packages are current', () => {
  expect(findApiReportFaults(join(import.meta.dirname, '..'))).toEqual([])
})
