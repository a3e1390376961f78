import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)

test('the choreography redrives its dead letter and balances its books', {
  timeout: 120_000,
}, async () => {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
  const { stdout } = await run(process.execPath, ['--import', 'tsx', main], {
    env: { ...process.env, CI: 'true' },
  })
  expect(stdout).not.toContain('NOT SO')
  expect(stdout).toContain('email gives up on order-2')
  expect(stdout).toMatch(
    /4 orders, 3 payments of 4500 \(the gateway says 4500\), 3 shipments, 3 emails, 7 instruments left of 10\.\n {3}✔/,
  )
  expect(stdout.match(/✔/g)).toHaveLength(7)
})
