import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type express5 from 'express'
import { describe, expect, test } from 'vitest'
import { header, post, type WireResponse } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'
import { bodies } from './like-bare/bodies.ts'
import type { Case } from './like-bare/case.ts'
import { failures } from './like-bare/failures.ts'
import { heads } from './like-bare/heads.ts'

/**
 * Bare Express is the oracle: the same handler is mounted with and without the middleware, and both
 * must send the same status line, headers and body. The date and the framing may differ: the length
 * is known where bare Express writes chunks.
 */
const FREE = new Set(['date', 'content-length', 'transfer-encoding', 'connection', 'keep-alive'])

const cases = [...bodies, ...heads, ...failures]

for (const [version, express] of expressVersions) {
  describe(`like bare ${version}`, () => {
    for (const each of cases) {
      test.skipIf(each.only !== undefined && each.only !== version)(each.title, async () => {
        const bare = await ask(each, express, false)
        const covered = await ask(each, express, true)
        if (each.breaks) {
          expect(covered.first).toBe('broken')
          expect(bare.first).toBe('broken')
          return
        }
        expect(visible(covered.first)).toEqual(visible(bare.first))
        if (each.retries) {
          expect(covered.runs).toBe(2)
          return
        }
        expect(covered.runs).toBe(1)
        const { first, again } = covered as { first: WireResponse; again: WireResponse }
        expect(again.status).toBe(first.status)
        expect(again.body).toEqual(first.body)
        expect(header(again, 'x-idempotency-replayed')).toBe('true')
        for (const [name] of first.headers.filter(isKept)) {
          expect([name, header(again, name)]).toEqual([name, header(first, name)])
        }
      })
    }
  })
}

function isKept([name]: readonly [string, string]): boolean {
  return !FREE.has(name.toLowerCase()) && !/^(set-cookie|trailer)$/i.test(name)
}

type Answer = WireResponse | 'broken'

async function ask(
  { handler, unpowered, path = '/', headers = {} }: Case,
  express: typeof express5,
  isCovered: boolean,
): Promise<{ first: Answer; again: Answer; runs: number }> {
  const app = quietApp(express)
  if (unpowered) app.disable('x-powered-by')
  app.use(express.json())
  if (isCovered) app.use(idempotency({ store: memoryStore(), scope: 'dangerously-shared' }))
  let runs = 0
  app.post('/', (req, res, next) => {
    runs += 1
    return handler(req, res, next)
  })
  const port = await served(app)
  const send = () =>
    post(port, path, { 'Idempotency-Key': 'k', ...headers }).catch((): Answer => 'broken')
  return { first: await send(), again: await send(), runs }
}

function visible(answer: Answer): unknown {
  if (answer === 'broken') return answer
  const { statusLine, headers, body, trailers, informational } = answer
  return {
    statusLine,
    headers: headers.filter(([name]) => !FREE.has(name.toLowerCase())),
    body: body
      .toString('latin1')
      .replace(/<br>.*<\/pre>/, '')
      .replace(/ in (statusMessage|header content \[.*\])/, ''),
    trailers,
    informational,
  }
}
