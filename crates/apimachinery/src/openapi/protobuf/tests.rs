//! Small documents with all that the tables name, as Gnostic itself writes them.

use serde_json::{Value, json};

use super::{Message, V2, V3, encode};

#[track_caller]
fn check(document: &Value, message: &Message, want: &[u8]) {
    let got = encode(document, message);
    assert_eq!(
        got.escape_ascii().to_string(),
        want.escape_ascii().to_string()
    );
}

#[test]
fn version_2_is_written_as_gnostic_writes_it() {
    check(
        &json!({
            "swagger": "2.0",
            "info": {
                "title": "T",
                "version": "1"
            },
            "paths": {
                "/p": {
                    "get": {
                        "tags": [
                            "t"
                        ],
                        "operationId": "o",
                        "consumes": [
                            "*/*"
                        ],
                        "produces": [
                            "a/b"
                        ],
                        "schemes": [
                            "https"
                        ],
                        "parameters": [
                            {
                                "$ref": "#/parameters/q"
                            },
                            {
                                "name": "n",
                                "in": "path",
                                "required": true,
                                "type": "string",
                                "uniqueItems": true
                            }
                        ],
                        "responses": {
                            "200": {
                                "description": "OK",
                                "schema": {
                                    "$ref": "#/definitions/d"
                                }
                            }
                        },
                        "x-kubernetes-action": "get"
                    },
                    "parameters": [
                        {
                            "name": "body",
                            "in": "body",
                            "schema": {
                                "$ref": "#/definitions/d"
                            }
                        }
                    ]
                }
            },
            "definitions": {
                "d": {
                    "type": "object",
                    "description": "D",
                    "required": [
                        "e"
                    ],
                    "properties": {
                        "e": {
                            "type": "string",
                            "enum": [
                                "x"
                            ]
                        },
                        "l": {
                            "type": "array",
                            "items": {
                                "type": "integer",
                                "format": "int32"
                            }
                        },
                        "m": {
                            "type": "object",
                            "additionalProperties": {
                                "type": "boolean"
                            }
                        }
                    }
                }
            },
            "parameters": {
                "q": {
                    "name": "q",
                    "in": "query",
                    "type": "boolean",
                    "uniqueItems": true
                }
            },
            "security": [
                {
                    "B": []
                }
            ],
            "securityDefinitions": {
                "B": {
                    "type": "apiKey",
                    "name": "a",
                    "in": "header"
                }
            }
        }),
        &V2,
        b"\n\x032.0\x12\x06\n\x01T\x12\x011B\xc1\x01\x12\xbe\x01\n\x02/p\x12\xb7\x01\x12\x8f\x01\n\
          \x01t*\x01o2\x03a/b:\x03*/*B\x12\x12\x10\n\x0e#/parameters/qB\x1c\n\x1a\x12\x18\"\x16\
          \x08\x01\x12\x04path\"\x01n*\x06string\x98\x01\x01J$\n\"\n\x03200\x12\x1b\n\x19\n\x02OK\
          \x12\x13\n\x11\n\x0f#/definitions/dR\x05httpsj\x1e\n\x13x-kubernetes-action\x12\x07\x12\
          \x05\"get\"J#\n!\n\x1f\x12\x04body\x1a\x04body*\x11\n\x0f#/definitions/dJ\x83\x01\n\x80\
          \x01\n\x01d\x12{\"\x01D\x9a\x01\x01e\xb2\x01\x08\n\x06object\xca\x01f\n\x18\n\x01e\x12\
          \x13\xa2\x01\x05\x12\x03\"x\"\xb2\x01\x08\n\x06string\n'\n\x01l\x12\"\xb2\x01\x07\n\x05a\
          rray\xba\x01\x15\n\x13\x12\x05int32\xb2\x01\x09\n\x07integer\n!\n\x01m\x12\x1c\xaa\x01\
          \x0e\n\x0c\xb2\x01\x09\n\x07boolean\xb2\x01\x08\n\x06objectR!\n\x1f\n\x01q\x12\x1a\x12\
          \x18\x1a\x16\x12\x05query\"\x01q2\x07boolean\xa0\x01\x01b\x07\n\x05\n\x01B\x12\x00j\x1c\
          \n\x1a\n\x01B\x12\x15\x12\x13\n\x06apiKey\x12\x01a\x1a\x06header",
    );
}

#[test]
fn version_3_is_written_as_gnostic_writes_it() {
    check(
        &json!({
            "openapi": "3.0.0",
            "info": {
                "title": "T",
                "version": "1"
            },
            "paths": {
                "/p": {
                    "put": {
                        "tags": [
                            "t"
                        ],
                        "operationId": "o",
                        "parameters": [
                            {
                                "name": "q",
                                "in": "query",
                                "schema": {
                                    "type": "string",
                                    "uniqueItems": true
                                }
                            }
                        ],
                        "requestBody": {
                            "content": {
                                "*/*": {
                                    "schema": {
                                        "$ref": "#/components/schemas/d"
                                    }
                                }
                            },
                            "required": true
                        },
                        "responses": {
                            "200": {
                                "description": "OK",
                                "content": {
                                    "a/b": {
                                        "schema": {
                                            "type": "string"
                                        }
                                    }
                                }
                            }
                        },
                        "x-kubernetes-action": "put"
                    }
                }
            },
            "components": {
                "schemas": {
                    "d": {
                        "type": "object",
                        "properties": {
                            "a": {
                                "allOf": [
                                    {
                                        "$ref": "#/components/schemas/q"
                                    }
                                ],
                                "default": {}
                            },
                            "b": {
                                "type": "boolean",
                                "default": false
                            },
                            "i": {
                                "type": "integer",
                                "format": "int32",
                                "default": 0
                            },
                            "l": {
                                "type": "array",
                                "items": {
                                    "$ref": "#/components/schemas/q"
                                }
                            },
                            "m": {
                                "type": "object",
                                "additionalProperties": {
                                    "type": "string"
                                }
                            },
                            "s": {
                                "type": "string",
                                "default": "",
                                "enum": [
                                    "x"
                                ]
                            }
                        }
                    },
                    "q": {
                        "oneOf": [
                            {
                                "type": "string"
                            },
                            {
                                "type": "number"
                            }
                        ]
                    }
                }
            }
        }),
        &V3,
        b"\n\x053.0.0\x12\x06\n\x01T2\x011\"\xa7\x01\n\xa4\x01\n\x02/p\x12\x9d\x01*\x9a\x01\n\x01t\
          *\x01o2\x1c\n\x1a\n\x01q\x12\x05queryR\x0e\n\x0c\xa0\x01\x01\xca\x01\x06string:+\n)\x12%\
          \n#\n\x03*/*\x12\x1c\n\x1a\x12\x18\n\x16#/components/schemas/d\x18\x01B'\x12%\n\x03200\
          \x12\x1e\n\x1c\n\x02OK\x1a\x16\n\x14\n\x03a/b\x12\x0d\n\x0b\n\x09\xca\x01\x06stringj\x1e\
          \n\x13x-kubernetes-action\x12\x07\x12\x05\"put\"*\x9a\x02\n\x97\x02\n\xef\x01\n\x01d\x12\
          \xe9\x01\n\xe6\x01\xca\x01\x06object\xfa\x01\xd9\x01\n'\n\x01a\x12\"\n \xd2\x01\x1a\x12\
          \x18\n\x16#/components/schemas/q\x8a\x02\x00\n\x16\n\x01b\x12\x11\n\x0f\xca\x01\x07boole\
          an\x8a\x02\x02\x10\x00\n%\n\x01i\x12 \n\x1e\xca\x01\x07integer\x8a\x02\x09\x09\x00\x00\
          \x00\x00\x00\x00\x00\x00\x9a\x02\x05int32\n.\n\x01l\x12)\n'\xca\x01\x05array\xf2\x01\x1c\
          \n\x1a\x12\x18\n\x16#/components/schemas/q\n \n\x01m\x12\x1b\n\x19\xca\x01\x06object\x82\
          \x02\x0d\n\x0b\n\x09\xca\x01\x06string\n\x1d\n\x01s\x12\x18\n\x16\xc2\x01\x05\x12\x03\"x\
          \"\xca\x01\x06string\x8a\x02\x02\x1a\x00\n#\n\x01q\x12\x1e\n\x1c\xda\x01\x0b\n\x09\xca\
          \x01\x06string\xda\x01\x0b\n\x09\xca\x01\x06number",
    );
}
