import { connect } from 'node:net'

/** A request in the bytes that a client sends. */
export function orderRequest(options: {
  readonly port: number
  readonly key: string
  readonly order: object
}): string {
  const body = JSON.stringify(options.order)
  return [
    'POST /orders HTTP/1.1',
    `Host: 127.0.0.1:${options.port}`,
    'Authorization: Bearer ana',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Idempotency-Key: ${options.key}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}

/** The response as it arrived; empty if the server died first. */
export async function exchange(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(request)
  let received = ''
  try {
    for await (const chunk of socket.setEncoding('utf8')) received += chunk
  } catch (error) {
    // A killed server resets the connection, so this client has lost the response.
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error
  }
  return received
}

/** The status of a response, the value of one of its headers, its body. */
export function parse(response: string): { status: number; replayed: boolean; body: string } {
  const [head = '', body = ''] = response.split('\r\n\r\n')
  return {
    status: Number(head.slice(9, 12)),
    replayed: /^x-idempotency-replayed: true$/im.test(head),
    body,
  }
}
