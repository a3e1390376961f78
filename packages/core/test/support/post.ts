import type { PlainResponse } from '../../src/contracts/stored-response.ts'
import type { EngineRequest } from '../../src/request/engine-request.ts'

/** A POST /orders with a JSON body, as an adapter describes it. */
export function post(
  key: string | readonly string[] | undefined,
  differently: Partial<EngineRequest> & {
    readonly body?: unknown
    readonly headers?: Readonly<Record<string, string>>
  } = {},
): EngineRequest {
  const { body = { item: 'book' }, headers = {}, ...rest } = differently
  const method = rest.method ?? 'POST'
  const target = rest.target ?? '/orders?dry=1'
  return {
    method,
    target,
    scope: 'customer-1',
    header(name) {
      if (name === 'idempotency-key') return key === undefined ? [] : [key].flat()
      return headers[name] === undefined ? [] : [headers[name]]
    },
    fingerprintInput: () => ({
      method,
      target,
      contentType: 'application/json',
      body: { kind: 'parsed', value: body },
    }),
    ...rest,
  }
}

/** A handler's response. */
export function response(
  status = 201,
  body = '{"id":"o-1"}',
  headers: PlainResponse['headers'] = [['content-type', 'application/json']],
): PlainResponse {
  return { status, headers, body: new TextEncoder().encode(body) }
}

/** The members of a problem's body, or any other JSON. */
export function json({ body }: Pick<PlainResponse, 'body'>): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(body))
}
