import type {
  APIGatewayProxyEvent,
  APIGatewayProxyEventV2,
  APIGatewayProxyResult,
  APIGatewayProxyStructuredResultV2,
} from 'aws-lambda'

type Handler = (request: Request) => Promise<Response>

/** A fetch handler as a function behind an HTTP API, or a function URL (payload format 2.0). */
export function forHttpApi(handler: Handler) {
  return async (event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> => {
    const { rawPath, rawQueryString, headers, cookies, requestContext } = event
    const url = `https://${requestContext.domainName}${rawPath}`
    const response = await handler(
      new Request(rawQueryString === '' ? url : `${url}?${rawQueryString}`, {
        method: requestContext.http.method,
        headers: headersOf([
          ...Object.entries(headers),
          ...(cookies === undefined ? [] : [['cookie', cookies.join('; ')] as const]),
        ]),
        body: bodyOf(event),
      }),
    )
    // Set-Cookie is not among the headers of this format.
    const { 'set-cookie': _, ...rest } = Object.fromEntries(response.headers)
    return {
      ...(await resultOf(response)),
      headers: rest,
      cookies: response.headers.getSetCookie(),
    }
  }
}

/** A fetch handler as a function behind a REST API (payload format 1.0). */
export function forRestApi(handler: Handler) {
  return async (event: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> => {
    const { path, multiValueHeaders, multiValueQueryStringParameters, requestContext } = event
    const url = new URL(`https://${requestContext.domainName}${path}`)
    for (const [name, values] of Object.entries(multiValueQueryStringParameters ?? {})) {
      for (const value of values ?? []) url.searchParams.append(name, value)
    }
    const lines = Object.entries(multiValueHeaders ?? {}).flatMap(([name, values]) =>
      (values ?? []).map((value) => [name, value] as const),
    )
    const init = { method: event.httpMethod, headers: headersOf(lines), body: bodyOf(event) }
    const response = await handler(new Request(url, init))
    const headers = Object.fromEntries(
      [...new Set(response.headers.keys())].map((name) => [
        name,
        name === 'set-cookie' ? response.headers.getSetCookie() : [`${response.headers.get(name)}`],
      ]),
    )
    return { ...(await resultOf(response)), multiValueHeaders: headers }
  }
}

function headersOf(lines: readonly (readonly [string, string | undefined])[]): Headers {
  const headers = new Headers()
  for (const [name, value] of lines) if (value !== undefined) headers.append(name, value)
  return headers
}

/** The bytes that the client sent, of which the fingerprint is made. */
function bodyOf({
  body,
  isBase64Encoded,
}: Pick<APIGatewayProxyEvent, 'isBase64Encoded'> & { body?: string | null }) {
  return body === undefined || body === null
    ? null
    : Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8')
}

/** Base64, so that every byte of a replay is that of the first answer. */
async function resultOf(response: Response) {
  const bytes = Buffer.from(await response.arrayBuffer())
  return { statusCode: response.status, body: bytes.toString('base64'), isBase64Encoded: true }
}
