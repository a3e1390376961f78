import type { APIGatewayProxyEvent, APIGatewayProxyEventV2, SQSEvent } from 'aws-lambda'

const HEADERS = { 'content-type': 'application/json', 'x-account': 'ana' }

/** What an HTTP API sends; only the members that are read. */
export function httpApiEvent(key: string, body: object): APIGatewayProxyEventV2 {
  return {
    rawPath: '/orders',
    rawQueryString: '',
    headers: { ...HEADERS, 'idempotency-key': key },
    requestContext: { domainName: 'shop.example.org', http: { method: 'POST' } },
    body: JSON.stringify(body),
    isBase64Encoded: false,
  } as unknown as APIGatewayProxyEventV2
}

/** What a REST API sends; only the members that are read. */
export function restApiEvent(key: string, body: object): APIGatewayProxyEvent {
  const headers = { ...HEADERS, 'Idempotency-Key': key }
  return {
    path: '/orders',
    httpMethod: 'POST',
    multiValueHeaders: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, [value]]),
    ),
    multiValueQueryStringParameters: null,
    requestContext: { domainName: 'shop.example.org' },
    body: Buffer.from(JSON.stringify(body)).toString('base64'),
    isBase64Encoded: true,
  } as unknown as APIGatewayProxyEvent
}

/** What SQS sends; only the members that are read. */
export function queueEvent(...messages: { messageId: string; key: string; item: string }[]) {
  return {
    Records: messages.map(({ messageId, key, item }) => ({
      messageId,
      messageAttributes: { key: { stringValue: key, dataType: 'String' } },
      body: JSON.stringify({ item }),
    })),
  } as unknown as SQSEvent
}
