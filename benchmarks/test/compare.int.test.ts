import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

function bench(...args: string[]): string {
  return execFileSync('npx', ['tsx', 'benchmarks/src/main.ts', ...args], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

test('two commits are measured in turn, and the folder of the other one is removed', () => {
  const before = left()
  const printed = bench(
    ...['memory-footprint', '--memory-records', '1000', '--compare', 'HEAD', '--rounds', '2'],
  )
  expect(printed).toMatch(/this tree over [0-9a-f]{10}, 2 rounds/)
  expect(printed).toMatch(/\d\.\d\d \(\d\.\d\d–\d\.\d\d\)/)
  expect(left()).toEqual(before)
}, 300_000)

test('a commit that does not exist is refused', () => {
  expect(() => bench('memory-footprint', '--compare', 'no-such-branch')).toThrow(
    'There is no commit "no-such-branch". Write a hash, a branch or a tag.',
  )
}, 60_000)

const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith('oncekey-bench-'))
