export { captureResponse } from './hold/capture-response.ts'
export { keepRawBody } from './request/body.ts'
export { type NodeRequest, readRequest } from './request/read-request.ts'
export { writeResponse } from './response/write-response.ts'
