export { answerOf } from './fetch/next-errors.ts'
