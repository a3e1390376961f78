export { PermanentError } from './permanent-error.ts'
