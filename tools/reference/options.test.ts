import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { renderOptions } from './options.ts'

const root = mkdtempSync(join(tmpdir(), 'oncekey-options-'))
afterAll(() => rmSync(root, { recursive: true }))

function pageOf(source: string): string {
  const folder = join(root, 'packages', 'shop')
  mkdirSync(folder, { recursive: true })
  const manifest = { name: 'shop', exports: { '.': './index.ts' } }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(folder, 'index.ts'), source)
  return renderOptions(root)
}

test('what a method takes is on the page, whatever it is called, with what its members take', () => {
  const page = pageOf(`
    /** How often. */
    export interface Retrying { /** @default 10 */ readonly most?: number }
    export interface Work extends Named { readonly tries?: Retrying; run(): void }
    export interface Named { readonly name: string }
    export interface Builder { step(name: string, work: Work): Builder }
    export interface Result { readonly error?: string }
    export function build(): Builder { return {} as Builder }
    export function end(of: Builder): Result { return {} }
  `)
  expect(page).toContain('### Work\n\nOf `step()` of `Builder`. Beside its own it takes those of')
  expect(page).toContain('### Named\n\n| option')
  expect(page).toContain('### Retrying\n\nHow often. Of `tries` of `Work`.')
  expect(page).toContain('| `most` | `number` | `10` |  |')
  expect(page).not.toContain('### Result')
  expect(page).not.toContain('### Builder')
})

// `Authenticate` and `Classify` were named as types of options, and described nowhere.
test('a type that an option names is described, with those that it names', () => {
  const page = pageOf(`
    /** What an answer means. */
    export type Meaning = 'good' | 'bad'
    /** Decides by the status. */
    export type Judge = (status: number) => Meaning
    /** Nobody names it. */
    export type Other = string
    export interface ShopOptions {
      readonly judge?: ( // as one likes
        Judge
      )
    }
    export function shop(options: ShopOptions): void {}
  `)
  expect(page).toContain('### Types of shop\n\n| type | is |  |')
  expect(page).toContain('| `Judge` | `(status: number) => Meaning` | Decides by the status. |')
  expect(page).toContain("| `Meaning` | `'good' \\| 'bad'` | What an answer means. |")
  expect(page).not.toContain('Nobody names it.')
  expect(page).not.toContain('as one likes')
})
