import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { everyBlock } from '../src/blocks.ts'
import { fateOf, fates } from '../src/fates.ts'
import { workspace } from '../src/site.ts'
import { skipped, snippetsOf } from '../src/snippets.ts'

const blocks = everyBlock()

test('every block of the pages is run by a test, or says why not', () => {
  expect(blocks.length).toBeGreaterThan(300)
  const strays = blocks.filter((block) => fateOf(block) === undefined)
  expect(strays.map(({ page, line, language }) => `${page}:${line} ${language}`)).toEqual([])
})

test('every fate is that of some block', () => {
  const used = new Set(blocks.map(fateOf))
  expect(fates.filter((fate) => !used.has(fate))).toEqual([])
})

test('the tests that are named exist, and name the pages that they run', () => {
  for (const { page, by = [] } of fates) {
    const texts = by.map((file) => readFileSync(join(workspace, file), 'utf8'))
    // Tests beside this one find their blocks by the table itself.
    if (page === undefined || by.every((file) => file.startsWith('tests/docs/'))) continue
    const name = page.replace(/\/$/, '').split('/').at(-1) ?? ''
    expect(texts.join('\n').includes(name), `${by} names ${page}`).toBe(true)
  }
})

test('what runs here is what is compiled here', () => {
  for (const block of blocks.filter(({ language }) => language === 'ts')) {
    const snippet = snippetsOf(block.page).find(({ line }) => line === block.line + 1)
    const isOurs = fateOf(block)?.by?.includes('tests/docs/test/running.int.test.ts') ?? false
    expect(
      snippet === undefined || skipped(snippet) !== undefined,
      `${block.page}:${block.line}`,
    ).toBe(!isOurs)
  }
})

test('the scripts of the repository that pages name exist, with the options that they show', () => {
  const { scripts } = JSON.parse(readFileSync(join(workspace, 'package.json'), 'utf8'))
  const commands = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => [...text.matchAll(/^npx -y pnpm@12 (\S+)([^#\n]*)/gm)])
  expect(commands.length).toBeGreaterThan(10)
  for (const [command, script = '', options = ''] of commands) {
    expect(scripts, command).toHaveProperty([script])
    const [, program] = /^tsx (\S+)/.exec(scripts[script]) ?? []
    for (const [, option = ''] of options.matchAll(/--([a-z]+)/g)) {
      expect(optionsOf(program ?? ''), command).toContain(option)
    }
  }
})

/** The source in which a program reads its options. */
function optionsOf(program: string): string {
  const folder = join(workspace, program, '..')
  return ['main.ts', 'options.ts', 'arguments.ts', 'command-line.ts']
    .map((name) => join(folder, name))
    .filter(existsSync)
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n')
}
