import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const run = promisify(execFile)

test('the shop on PGlite balances its books despite lost answers and killed processes', {
  timeout: 300_000,
}, async () => {
  const { stdout } = await run(process.execPath, ['--import', 'tsx', main], {
    env: { ...process.env, DATABASE_URL: undefined, ORDERS: '24' },
  })
  expect(stdout).toContain('They are balanced.')
  expect(stdout.match(/✔/g)).toHaveLength(8)
})

test('with --serve the dashboard and the metrics show its trouble, and Ctrl+C ends it balanced', {
  timeout: 300_000,
}, async () => {
  const env = { ...process.env, DATABASE_URL: undefined, ORDERS: '12' }
  const shop = spawn(process.execPath, ['--import', 'tsx', main, '--serve'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(shop, 'exit')
  let said = ''
  for await (const chunk of shop.stdout) {
    said += chunk
    const [, url] = /(http:\S+)\/ops/.exec(said) ?? []
    if (url === undefined || !said.includes('Press Ctrl+C') || shop.killed) continue
    const page = await (await fetch(`${url}/ops`)).text()
    expect(page).toMatch(/Dead letters: consumers<b>[1-9]/)
    const metrics = await (await fetch(`${url}/metrics`)).text()
    expect(metrics).toMatch(/^oncekey_dead_letters\{source="consumers"\} [1-9]/m)
    shop.kill('SIGINT')
  }
  expect(await exited).toEqual([0, null])
  expect(said).toContain('They are balanced.')
})
