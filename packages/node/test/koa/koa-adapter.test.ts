import { readFile } from 'node:fs/promises'
import { describeAdapter } from '@oncekey/conformance'
import { expect, test } from 'vitest'
import { serveWithKoa } from './serve-with-koa.ts'

test('docs/adapters.md shows exactly this adapter', async () => {
  const page = await readFile(new URL('../../../../docs/adapters.md', import.meta.url), 'utf8')
  const snippet = page.match(/```ts\n([\s\S]*?)```/)?.[1]
  expect(snippet).toBe(await readFile(new URL('./idempotency.ts', import.meta.url), 'utf8'))
})

describeAdapter({ name: 'Koa 3', serve: serveWithKoa })
