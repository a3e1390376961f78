import { createServer, type RequestListener } from 'node:http'
import { onTestFinished } from 'vitest'
import { listening } from '../../../node/test/http2-front.ts'

/** Serves an app until the test is over, and posts to it. */
export async function served(app: { silent: boolean; callback(): RequestListener }) {
  app.silent = true
  const { url, close } = await listening(createServer(app.callback()))
  onTestFinished(close)
  return {
    url,
    async post(
      path: string,
      { key = 'k', body = '{"item":"violin"}', headers = {} as Record<string, string> } = {},
    ) {
      const response = await fetch(url + path, {
        method: 'POST',
        redirect: 'manual',
        headers: { 'content-type': 'application/json', 'idempotency-key': key, ...headers },
        body,
      })
      return {
        status: response.status,
        replayed: response.headers.get('x-idempotency-replayed') === 'true',
        headers: response.headers,
        text: await response.text(),
      }
    },
  }
}
