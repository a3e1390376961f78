import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findGaps, findMissingPaths, readingOrdersIn } from './reading-orders.ts'

describe('ARCHITECTURE.md', () => {
  const page = readFileSync('ARCHITECTURE.md', 'utf8')
  const orders = readingOrdersIn(page)

  test('has five reading orders, and seven answers with steps', () => {
    expect(orders.filter(({ title }) => title.startsWith('One '))).toHaveLength(5)
    expect(orders).toHaveLength(12)
  })

  test('names only what is there', () => {
    expect(findMissingPaths(page, '.')).toEqual([])
    expect(findMissingPaths('See `packages/gone.ts` and `docs`.', '.')).toEqual([
      'packages/gone.ts',
    ])
  })

  test.each(orders)('$title: each file is there, and one before it leads to it', (order) => {
    expect(findGaps(order, '.')).toEqual([])
  })
})

describe('a reading order', () => {
  let root: string

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'oncekey-orders-'))
  })
  afterEach(() => {
    rmSync(root, { recursive: true })
  })

  function gapsOf(files: Record<string, string>, ...steps: string[][]): string[] {
    for (const [file, source] of Object.entries(files)) {
      mkdirSync(join(root, dirname(file)), { recursive: true })
      writeFileSync(join(root, file), source)
    }
    const list = steps.map(
      (step, at) => `${at + 1}. ${step.map((file) => `\`${file}\``).join(' ')}`,
    )
    const page = ['### One thing, in two steps', '', ...list, '', 'See `packages/a/src/x.ts`.']
    return readingOrdersIn(page.join('\n')).flatMap((order) => findGaps(order, root))
  }

  const [first, second] = ['packages/a/src/first.ts', 'packages/b/src/deep/second.ts']
  const index = { 'packages/b/src/index.ts': "export { second } from './deep/second.ts'" }

  test('may go through the entry of a package, for the names that are imported', () => {
    const files = { ...index, [second]: 'export const second = 2' }
    const named = { ...files, [first]: "import { second } from '@oncekey/b'" }
    expect(gapsOf(named, [first], [second])).toEqual([])
    const other = { ...files, [first]: "import { other } from '@oncekey/b'" }
    expect(gapsOf(other, [first], [second])).toEqual([
      `One thing, in two steps: nothing before ${second} leads to it`,
    ])
  })

  test('may go from a contract to what keeps it, and from a call to its SQL function', () => {
    const keeps = { [first]: '', [second]: "import type { a } from '../../../a/src/first.ts'" }
    expect(gapsOf(keeps, [first], [second])).toEqual([])
    const calls = {
      [first]: `const sql = \`select $\{schema}.claim_3(1)\``,
      [second]: `const sql = \`create function $\{schema}.claim_3(a int)\``,
    }
    expect(gapsOf(calls, [first], [second])).toEqual([])
  })

  test('names files that are there, and as many as it says', () => {
    expect(gapsOf({ [first]: '' }, [first], [second])).toEqual([
      `One thing, in two steps: ${second} is not there`,
    ])
    expect(gapsOf({ [first]: '' }, [first])).toEqual(['One thing, in two steps: has 1 steps'])
  })
})
