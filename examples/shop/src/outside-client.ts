/**
 * Calls services of other companies. Any call may be lost; its key makes a repeated call harmless.
 */
export interface Outside {
  /** Throws on 5xx and when there is no answer: try again with the same key. */
  post(path: string, body: object, idempotencyKey: string, signal: AbortSignal): Promise<Response>
}

export function outsideAt(url: string): Outside {
  return {
    async post(path, body, idempotencyKey, signal) {
      const response = await fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
        body: JSON.stringify(body),
        signal,
      })
      await response.arrayBuffer()
      if (response.status >= 500) throw new Error(`${path} answered ${response.status}`)
      return response
    },
  }
}
