import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { leaveUnknown, NAME } from '@oncekey/test-shop'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dashboard } from '../src/index.ts'
import { toNode } from '../src/node.ts'
import { openBrowser, type Watched } from './chromium.ts'

let browser: Watched
beforeAll(async () => {
  browser = await openBrowser(['--host-resolver-rules=MAP shop.internal 127.0.0.1'])
})
afterAll(() => browser.close())

// Over plain http a browser sends no Sec-Fetch-Site, except to localhost. The pages forbade the
// Referer, and a browser then sends `Origin: null`: every act was refused.
test.each([
  { name: 'without a proxy', hostOf: (host: string) => host, said: 'Done: release' },
  { name: 'behind a proxy that changes Host', hostOf: () => 'app:3000', said: 'another site' },
])('an act over plain http, $name', async ({ hostOf, said }) => {
  const store = memoryStore({ mode: 'lease' })
  await leaveUnknown(store, 'lost')
  const serve = toNode(dashboard({ store, authorize: () => ({ actor: 'maria', may: 'all' }) }))
  let site: string | string[] | undefined
  const server = createServer((req, res) => {
    if (req.method === 'POST') site = req.headers['sec-fetch-site']
    req.headers.host = hostOf(req.headers.host ?? '')
    serve(req, res)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  try {
    const { page } = browser
    const { namespace, scope } = NAME
    const query = new URLSearchParams({ namespace, scope, key: 'lost' })
    const { port } = server.address() as AddressInfo
    await page.goto(`http://shop.internal:${port}/keys/one?${query}`)
    const form = page.locator('form[action="release"]:visible')
    await form.locator('[name=note]').fill('it did nothing')
    await form.locator('[name=confirmed]').check()
    await form.locator('button').click()
    await page.waitForLoadState()
    expect(await page.textContent('main')).toContain(said)
    expect(site).toBeUndefined()
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
