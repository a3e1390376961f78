import { type ServerResponse, validateHeaderValue } from 'node:http'
import { isHttp2, unsetHeader } from '../internals/internals.ts'

/**
 * Applies the arguments of `writeHead`, in any of its forms, as header changes on the response, and
 * returns status and reason. Throws what Node would throw, before anything is recorded.
 */
export function writeHeadArguments(
  res: ServerResponse,
  [given, ...rest]: readonly unknown[],
): { readonly status: number; readonly reason: string } {
  const status = Number(given) | 0
  if (status < 100 || status > 999) {
    throw Object.assign(new RangeError(`Invalid status code: ${String(given)}`), {
      code: 'ERR_HTTP_INVALID_STATUS_CODE',
    })
  }
  if (status < 200) throw informational(status)
  const [reason, headers] = typeof rest[0] === 'string' ? rest : [reasonOf(res), rest[1] ?? rest[0]]
  setAll(res, headers)
  if (reason) validateHeaderValue('statusMessage', reason as string)
  return { status, reason: (reason as string | undefined) ?? '' }
}

/**
 * Node would send a 1xx status as the whole response, and the client of every replay would wait for
 * the final one.
 */
function informational(status: number): RangeError {
  return Object.assign(
    new RangeError(
      `${status} cannot be the answer to a covered request. Send hints with res.writeEarlyHints() or res.writeProcessing(), then answer with 200 to 599.`,
    ),
    { code: 'ERR_HTTP_INVALID_STATUS_CODE' },
  )
}

/** HTTP/2 has no reason phrase, and Node warns when it is read. */
function reasonOf(res: ServerResponse): string {
  return isHttp2(res) ? '' : res.statusMessage
}

function setAll(res: ServerResponse, headers: unknown): void {
  if (Array.isArray(headers)) {
    for (const [name] of pairs(headers)) unsetHeader(res, name)
    for (const [name, value] of pairs(headers)) res.appendHeader(name, value)
  } else if (typeof headers === 'object' && headers !== null) {
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  }
}

/**
 * Yields pairs from an array of pairs or from the flat form of `rawHeaders`; names may repeat in
 * both.
 */
function* pairs(headers: readonly unknown[]): Generator<[name: string, value: string]> {
  if (Array.isArray(headers[0])) {
    yield* headers as [string, string][]
    return
  }
  if (headers.length % 2 !== 0) {
    throw Object.assign(new TypeError('The argument "headers" must have a value for each name.'), {
      code: 'ERR_INVALID_ARG_VALUE',
    })
  }
  for (let i = 0; i < headers.length; i += 2) yield [headers[i] as string, headers[i + 1] as string]
}
