export { fromTypeorm, type TypeormDataSource } from './bridges/typeorm.ts'
