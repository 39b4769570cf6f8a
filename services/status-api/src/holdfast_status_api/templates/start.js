// validatorUrl: no badge from a server elsewhere.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#document", validatorUrl: null });
