import type { PlainResponse } from '../contracts/stored-response.ts'
import type { EngineRequest } from '../request/engine-request.ts'
import { accepts } from './accept-encoding.ts'
import { codingOf, uncoded } from './uncoded.ts'

/**
 * A stored response in a form that this client can read: byte for byte as it was sent, or decoded
 * if the client does not accept its coding. It stays as it is if it cannot be decoded, if the
 * result is larger than `maxBytes`, or if the client accepts neither form.
 */
export async function replayVariant(
  response: PlainResponse,
  request: Pick<EngineRequest, 'header'> | undefined,
  maxBytes: number,
): Promise<PlainResponse> {
  const coding = codingOf(response)
  if (coding === undefined || request === undefined) return response
  const lines = request.header('accept-encoding')
  const acceptEncoding = lines.length === 0 ? undefined : lines.join(',')
  if (accepts(acceptEncoding, coding) || !accepts(acceptEncoding, 'identity')) return response
  const plain = await uncoded(response, coding, maxBytes)
  return plain === undefined || plain === 'too-large' ? response : plain
}
