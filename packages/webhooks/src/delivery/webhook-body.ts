/**
 * Makes the body of a webhook in the form of the Standard Webhooks specification. It is made once
 * and kept to the byte, so that every attempt signs and sends the same. The data is copied from the
 * log rather than parsed and written again, which could change numbers.
 */
export function webhookBody(event: {
  readonly type: string
  readonly occurredAt: Date
  /** JSON text. */
  readonly json: string
}): string {
  const type = JSON.stringify(event.type)
  const timestamp = JSON.stringify(event.occurredAt.toISOString())
  return `{"type":${type},"timestamp":${timestamp},"data":${event.json}}`
}

/** The data in such a body, as its JSON text was written. */
export function dataOf(body: string): string {
  // The quotes within the type are escaped, so nothing before the data looks like this.
  return body.slice(body.indexOf(DATA) + DATA.length, -1)
}

const DATA = ',"data":'
