import { expect, test } from 'vitest'
import { findTextFaults } from './check-text.ts'
import {
  citedNumbers,
  findDecisionFaults,
  formatFaults,
  readDecision,
  renderIndex,
} from './decisions.ts'

const long = 'word '.repeat(21).trim()

const record = `# 0007. Seven is enough

**Date.** 2026-11-24

**Context.** Eight were too many.

**Decision.** There are seven. No more are added.

**Consequences.** The eighth is refused.
`
const path = 'docs/decisions/0007-seven-is-enough.md'

test('reports a conflict marker with its line', () => {
  const text = `a\n${'<'.repeat(7)} HEAD\nb\n=======\nc\n${'>'.repeat(7)} wt/other\n`
  expect(findTextFaults([{ path: 'docs/http.md', text }])).toEqual([
    'docs/http.md:2: a conflict marker',
    'docs/http.md:6: a conflict marker',
  ])
})

test('reports a path in a page that does not exist', () => {
  const text = 'See `packages/core/src/there.ts` and `packages/core/src/gone.ts`.\n'
  const there = { path: 'packages/core/src/there.ts', text: '' }
  expect(findTextFaults([{ path: 'README.md', text }, there])).toEqual([
    'README.md: names packages/core/src/gone.ts, which is not there',
  ])
})

test('reports a line of prose over 100 columns with its length', () => {
  expect(findTextFaults([{ path: 'README.md', text: `short\n${long}\n` }])).toEqual([
    'README.md:2: 104 columns; prose has 100 at most',
  ])
})

test('lets tables, code blocks and addresses be longer than 100 columns', () => {
  const text = `| ${long} |\n\`\`\`ts\n// ${long}\n\`\`\`\n[a page](https://x.test/${'a'.repeat(120)})\n`
  expect(findTextFaults([{ path: 'README.md', text }])).toEqual([])
})

test('reports a comment over 100 columns with its length', () => {
  const text = `/**\n * ${long}\n */\nconst a = '// ${long}'\n  // ${long}\n`
  expect(findTextFaults([{ path: 'packages/core/src/a.ts', text }])).toEqual([
    'packages/core/src/a.ts:2: 107 columns; comments have 100 at most',
    'packages/core/src/a.ts:5: 109 columns; comments have 100 at most',
  ])
})

test('lets examples, tables and directives in comments be longer than 100 columns', () => {
  const text = `/**\n * \`\`\`ts\n * ${long}\n * \`\`\`\n * | ${long} |\n */\n// biome-ignore x: ${long}\n`
  expect(findTextFaults([{ path: 'packages/core/src/a.ts', text }])).toEqual([])
})

test('reports a test file that imports `it`', () => {
  const text = `import { expect, it } from 'vitest'\n`
  expect(findTextFaults([{ path: 'packages/core/test/request/key.test.ts', text }])).toEqual([
    'packages/core/test/request/key.test.ts: imports `it` from vitest; call every test `test`',
  ])
})

test('reads the number, title, status and first sentence of a decision record', () => {
  expect(readDecision({ path, text: record })).toEqual({
    number: '0007',
    file: '0007-seven-is-enough.md',
    title: 'Seven is enough',
    summary: 'There are seven.',
    status: 'current',
  })
})

test('reports a record of another format with what to write', () => {
  expect(formatFaults({ path, text: record })).toEqual([])
  const other = record.replace('# 0007.', '# 7:').replace('**Consequences.**', '## Consequences')
  expect(formatFaults({ path, text: other })).toEqual([
    `${path}: the first line must be "# 0007. Statement"`,
    `${path}: write **Context.**, **Decision.** and **Consequences.**, once each`,
  ])
})

test('finds decisions cited by number, by a list of numbers and by link', () => {
  const text = 'see decision 114, decisions 0070 and 72, and [why](decisions/0003-express.md)'
  expect(citedNumbers(text)).toEqual(['0114', '0070', '0072', '0003'])
})

test('the index lists who cites a record, and is stale after a new citation', () => {
  const files = [{ path, text: record }]
  const index = { path: 'docs/decisions/README.md', text: renderIndex(files) }
  expect(findDecisionFaults([...files, index])).toEqual([])

  const citing = { path: 'packages/core/src/engine/run.ts', text: '// Why: see decision 7.' }
  expect(findDecisionFaults([...files, index, citing])).toEqual([
    'docs/decisions/README.md: stale; write it with npx -y pnpm@12 decisions',
  ])
  expect(renderIndex([...files, citing])).toContain('| current | packages/core |')
})

test('reports the citation of a record that does not exist', () => {
  const citing = { path: 'docs/http.md', text: 'See decision 8 and [x](decisions/0007-six.md).' }
  const files = [{ path, text: record }, citing]
  const index = { path: 'docs/decisions/README.md', text: renderIndex(files) }
  expect(findDecisionFaults([...files, index])).toEqual([
    'docs/http.md: cites decision 0008, which does not exist',
    'docs/http.md: links to decisions/0007-six.md, which does not exist',
  ])
})

test('a file of more than 320 lines is a fault', () => {
  const text = 'const a = 1\n'.repeat(321)
  const files = [
    { path: 'packages/core/src/long.ts', text },
    { path: 'packages/core/src/right.ts', text: 'const a = 1\n'.repeat(320) },
  ]
  expect(findTextFaults(files)).toEqual([
    'packages/core/src/long.ts: 321 lines; a file has 320 at most: split it by subject',
  ])
})
