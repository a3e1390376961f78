import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)

test('the quickstart tells its story and balances its books', { timeout: 120_000 }, async () => {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
  const { stdout } = await run(process.execPath, ['--import', 'tsx', main], {
    env: { ...process.env, CI: 'true' },
  })
  expect(stdout).not.toContain('NOT SO')
  expect(stdout).toMatch(/The books: 3 orders, 3 keys with a success, 3 events\.\n {3}✔/)
  expect(stdout.match(/✔/g)).toHaveLength(7)
})
