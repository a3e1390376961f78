import type { ServerResponse } from 'node:http'

/** Whether the body is omitted: RFC 9110 sections 9.3.2, 15.3.5 and 15.4.5. */
export function isWithoutBody({ req }: ServerResponse, status: number): boolean {
  return status === 204 || status === 304 || req?.method === 'HEAD'
}
