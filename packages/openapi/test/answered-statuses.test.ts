import { subscribe } from 'node:diagnostics_channel'
import type { ServerResponse } from 'node:http'
import { describeAdapter, memoryStores } from '@oncekey/conformance'
import { afterAll, expect } from 'vitest'
import { plainAdapter } from '../../conformance/test/broken-adapters/plain-adapter.ts'
import { rightSteps } from '../../conformance/test/broken-adapters/steps.ts'
import { describeIdempotency } from '../src/index.ts'

// Every problem that the adapter contract provokes has a status that the description has, too.
const described = describeIdempotency(
  {
    openapi: '3.1.1',
    paths: { '/orders': { post: { responses: {} } } },
  },
  { without: [] },
) as any
const statuses = new Set(Object.keys(described.paths['/orders'].post.responses).map(Number))

const answered = new Set<number>()
subscribe('http.server.response.finish', (message) => {
  const { response } = message as { response: ServerResponse }
  const type = String(response.getHeader('content-type'))
  if (type.startsWith('application/problem+json')) answered.add(response.statusCode)
})

afterAll(() => {
  expect(answered.size).toBeGreaterThan(6)
  expect([...answered].filter((status) => !statuses.has(status))).toEqual([])
})

describeAdapter({
  name: 'described',
  serve: plainAdapter(() => rightSteps),
  stores: memoryStores.slice(0, 1),
})
