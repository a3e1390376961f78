import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)

test('the shop on PGlite balances its books, whatever is lost and killed', {
  timeout: 300_000,
}, async () => {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
  const { stdout } = await run(process.execPath, ['--import', 'tsx', main], {
    env: { ...process.env, DATABASE_URL: undefined, ORDERS: '24' },
  })
  expect(stdout).toContain('They are balanced.')
  expect(stdout.match(/✔/g)).toHaveLength(8)
})
