import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const doctor = new URL('../src/doctor/', import.meta.url)

/** The checks that the source runs: `look('name', …)` and `checked('name', …)`. */
function checksOfSource(): string[] {
  const source = readdirSync(doctor)
    .map((file) => readFileSync(new URL(file, doctor), 'utf8'))
    .join('\n')
  return [...source.matchAll(/\b(?:look|checked)\('([a-z ]+)'/g)].map(([, name = '']) => name)
}

// The page listed the checks in one sentence, without what each reports and where to read on.
test('the table of checks has every check that doctor runs, and no other', () => {
  const page = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8')
  const [, section = ''] = page.split(/^## doctor$/m)
  const [table = ''] = section.split('```console')
  const inTable = [...table.matchAll(/^\| `([a-z ]+)` \|/gm)].map(([, name]) => name)
  const inSource = checksOfSource()
  expect(inSource.length).toBeGreaterThan(15)
  expect(inTable.sort()).toEqual(inSource.sort())
})
