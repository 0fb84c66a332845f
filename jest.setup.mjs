// CommonJS packages that require Nest fail unless its ES modules were loaded first.
import 'reflect-metadata';
import '@nestjs/common';
import '@nestjs/core';
