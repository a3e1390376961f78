import { createFetch, type FetchOptions } from '@oncekey/client'
import createClient, { type Client } from 'openapi-fetch'
import type { paths } from './api.d.ts'

/**
 * The client that is generated from the document. Its `fetch` sends a call again, with the key and
 * the bytes of the call, until there is an answer.
 */
export function ordersClient(baseUrl: string, options: FetchOptions = {}): Client<paths> {
  return createClient<paths>({ baseUrl, fetch: createFetch(options) })
}
